//! From a scene file to a checked network description.
//!
//! A scene is found by path or, for one that ships with the program, by name. Its text is parsed with positions, so that whatever is wrong,
//! in the text or in what it says, is reported with file, line and column.

mod place;

use super::context::named_nodes;
use super::decode::{Decode, Decoder};
use super::describe::plain;
use super::encode::Encode;
use super::error::{SceneError, unknown};
use super::expression::Context;
use super::parse::{LONGEST_TEXT, Node, Value, parse, parse_bytes};
use super::prepare::{BuildError, Prepared, prepare};
use super::schema::{ModelValue, RuleValue, Scene};
use super::shipped;
use crate::files::Files;
use crate::network::distribution::Distribution;
use crate::neurons::ReflectNeuronModel;
use crate::plasticity::ReflectPlasticity;
use crate::plasticity::upkeep::ReflectUpkeep;
use crate::results::table::parse_present_columns;
use crate::simulation::Registry;
use bevy::reflect::PartialReflect;
use place::{find, pinpoint, words};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that a scene may name, in bytes.
const LARGEST_FILE: u64 = 4 << 30;

/// The text of a scene and where it is from.
#[derive(Clone, Debug)]
pub struct SceneSource {
    /// How messages call it: its path, or the name of a shipped scene.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The folder that relative file names start from.
    pub folder: PathBuf,
}

impl SceneSource {
    /// The scene at a path, or the shipped scene of that name.
    ///
    /// # Errors
    /// Says that neither exists, with the nearest name; or why the file cannot be read.
    pub fn find(name: &str) -> Result<Self, SceneError> {
        let failed = |message: String| SceneError {
            file: name.into(),
            line: 0,
            column: 0,
            path: String::new(),
            message,
            help: None,
        };
        let path = Path::new(name);
        if path.is_file() {
            return Ok(Self {
                name: name.into(),
                text: read_text(path)?,
                folder: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            });
        }
        if let Some(text) = shipped::text(name) {
            return Ok(Self {
                name: name.into(),
                text: text.into(),
                folder: PathBuf::new(),
            });
        }
        if path.is_dir() {
            return Err(failed("is a folder, not a scene file".into()));
        }
        if path.exists() {
            return Err(failed("is not a file".into()));
        }
        let looks_like_a_path = name.contains(['/', '\\']) || name.ends_with(".ron");
        Err(if looks_like_a_path {
            failed("no such file".into())
                .with_help("give the path of a scene file, or a name that `neuropil scenes` lists")
        } else {
            failed(unknown("scene", name, shipped::SCENES.iter().map(|s| s.0)))
                .with_help("give the path of a scene file, or a name that `neuropil scenes` lists")
        })
    }

    /// A scene that is only text.
    pub fn from_text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            folder: PathBuf::new(),
        }
    }
}

/// The error that a text is not UTF-8, at the place where it stops being so.
fn not_utf8(bytes: &[u8], name: &str) -> SceneError {
    let valid = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
    // A text cut off in the middle of a letter is too long, whatever else it is.
    if bytes.len() > LONGEST_TEXT && valid + 4 > bytes.len() {
        let text = String::from_utf8_lossy(bytes);
        if let Err(error) = parse(&text, name) {
            return error;
        }
    }
    match parse_bytes(&bytes[..bytes.len().min(valid + 1)], name) {
        Err(error) => error,
        Ok(_) => SceneError {
            file: name.into(),
            line: 0,
            column: 0,
            path: String::new(),
            message: "the text is not UTF-8".into(),
            help: None,
        },
    }
}

/// The text of a file in the notation of scenes.
///
/// # Errors
/// Says why it cannot be read, or where it is not text.
pub fn read_text(path: &Path) -> Result<String, SceneError> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // A text that is too long is read just far enough to be refused.
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST_TEXT as u64 + 1).read_to_end(&mut bytes))
        .map_err(|e| SceneError {
            file: name.clone(),
            line: 0,
            column: 0,
            path: String::new(),
            message: format!("cannot be read: {e}"),
            help: None,
        })?;
    String::from_utf8(bytes).map_err(|error| not_utf8(error.as_bytes(), &name))
}

/// A scene that was read.
pub struct LoadedScene {
    /// What it says.
    pub scene: Scene,
    /// Its text and place.
    pub source: SceneSource,
    /// Its parameters with the values in force.
    pub parameters: Vec<(String, f64)>,
    /// The parameters that were set from outside, as given.
    pub overrides: Vec<(String, String)>,
    tree: Node,
}

/// Reads a scene. `overrides` set named parameters.
///
/// # Errors
/// What is wrong, with line and column.
pub fn load(
    source: SceneSource,
    overrides: &[(String, String)],
    registry: &Registry,
) -> Result<LoadedScene, SceneError> {
    let file = source.name.clone();
    let tree = parse(&source.text, &file)?;
    let mut body = tree.clone();
    if !matches!(body.value, Value::Struct { .. }) {
        return Err(SceneError {
            file,
            line: body.line,
            column: body.column,
            path: String::new(),
            message: "a scene is written `Scene(title: \"…\", …)`".into(),
            help: None,
        });
    }
    let mut named = |what: &str| -> Result<Vec<(String, Node)>, SceneError> {
        body.take_field(what).map_or(Ok(Vec::new()), |field| {
            named_nodes(&file, what, &field.value)
        })
    };
    let (parameters, definitions) = (named("parameters")?, named("definitions")?);
    let context = Context::new(&file, &parameters, &definitions, overrides)?;
    let types = registry.types.read();
    let decoder = Decoder::new(&types, &context, &file);
    let scene: Scene = decoder.decode(&body).map_err(|mut e| {
        if e.message.starts_with("unknown field") && e.path.is_empty() {
            e.message.push_str(", parameters, definitions");
        }
        e.message = e
            .message
            .replace("expected a ModelValue", "expected a neuron model")
            .replace("expected a RuleValue", "expected a learning rule");
        e
    })?;
    Ok(LoadedScene {
        scene,
        source,
        parameters: context.parameters().to_vec(),
        overrides: overrides.to_vec(),
        tree,
    })
}

impl LoadedScene {
    /// Checks the scene as a whole.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn prepare(&self, registry: &Registry, files: &dyn Files) -> Result<Prepared, SceneError> {
        prepare(&self.scene, &registry.types.read(), files).map_err(|e| self.locate(&e))
    }

    /// Puts line and column to an error that names a place by its path.
    pub fn locate(&self, error: &BuildError) -> SceneError {
        let node = pinpoint(find(&self.tree, &error.path), &error.path, &error.message);
        SceneError {
            file: self.source.name.clone(),
            line: node.line,
            column: node.column,
            path: error.path.clone(),
            message: error.message.clone(),
            help: None,
        }
    }
}

impl Decode for ModelValue {
    fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
        let models = decoder
            .registry()
            .iter()
            .filter(|r| r.data::<ReflectNeuronModel>().is_some());
        let (_, value) = decoder.decode_named(node, models, "neuron model")?;
        Ok(Self(value))
    }
}

impl Decode for RuleValue {
    fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
        let rules = decoder.registry().iter().filter(|r| {
            r.data::<ReflectPlasticity>().is_some() || r.data::<ReflectUpkeep>().is_some()
        });
        let (_, value) = decoder.decode_named(node, rules, "learning rule")?;
        Ok(Self(value))
    }
}

impl Decode for Distribution {
    fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
        let value = match node.value {
            Value::Number(_) | Value::Str(_) => Self::Constant(decoder.decode(node)?),
            _ => decoder.decode_plain(node)?,
        };
        if let Err(message) = value.check() {
            let field = words(&message).find_map(|word| node.field(word));
            return Err(match field {
                Some(field) => decoder.at_field(&field.name).error(&field.value, message),
                None => decoder.error(node, message),
            });
        }
        let Some(range) = decoder.range() else {
            return Ok(value);
        };
        let (low, high) = value.bounds();
        for (bound, limit, name) in [(low, range.min, "min"), (high, range.max, "max")] {
            if (bound.is_infinite() && limit.is_infinite()) || range.contains(bound) {
                continue;
            }
            if let Some(field) = node.field(name) {
                let message = format!(
                    "the distribution reaches {}; allowed is {range}",
                    plain(bound)
                );
                return Err(decoder.at_field(name).error(&field.value, message));
            }
            let reaches = if bound.is_infinite() {
                "has no bound".into()
            } else {
                format!("reaches {}", plain(bound))
            };
            let message = format!("the distribution {reaches} at its {name}; allowed is {range}");
            let bounded = matches!(
                value,
                Self::Normal { .. } | Self::LogNormal { .. } | Self::Exponential { .. }
            );
            let error = decoder.error(node, message);
            return Err(if bounded {
                error.with_help(format!("give `{name}`"))
            } else {
                error
            });
        }
        Ok(value)
    }
}

impl Encode for ModelValue {
    fn written_as(&self) -> Option<&dyn PartialReflect> {
        Some(self.0.as_ref())
    }
}

impl Encode for RuleValue {
    fn written_as(&self) -> Option<&dyn PartialReflect> {
        Some(self.0.as_ref())
    }
}

impl Encode for Distribution {
    fn written_as(&self) -> Option<&dyn PartialReflect> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }
}

/// Files next to a scene, each read once and kept, so that a snapshot can carry them.
#[derive(Default)]
pub struct SceneFiles {
    folder: PathBuf,
    contents: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl SceneFiles {
    /// The files next to a scene.
    pub fn beside(source: &SceneSource) -> Self {
        Self {
            folder: source.folder.clone(),
            contents: RefCell::default(),
        }
    }

    /// Files whose contents are known.
    pub fn from_contents(contents: BTreeMap<String, Vec<u8>>) -> Self {
        Self {
            folder: PathBuf::new(),
            contents: RefCell::new(contents),
        }
    }

    /// What was read so far.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        self.contents.borrow().clone()
    }
}

impl Files for SceneFiles {
    fn columns(
        &self,
        path: &str,
        needed: &[&str],
        optional: &[&str],
    ) -> Result<Vec<Option<Vec<f64>>>, String> {
        if !self.contents.borrow().contains_key(path) {
            let full = self.folder.join(path);
            let shown = full.display();
            let data = std::fs::metadata(&full).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => {
                    format!("no such file: {shown} (file names start from the scene's folder)")
                }
                _ => format!("{shown} cannot be read: {e}"),
            })?;
            if !data.is_file() {
                return Err(format!("{shown} is not a file"));
            }
            if data.len() > LARGEST_FILE {
                return Err(format!(
                    "{shown} has {} bytes; at most {LARGEST_FILE} are read",
                    data.len()
                ));
            }
            let bytes = std::fs::read(&full).map_err(|e| format!("{shown} cannot be read: {e}"))?;
            self.contents.borrow_mut().insert(path.into(), bytes);
        }
        let contents = self.contents.borrow();
        let bytes: &[u8] = contents.get(path).map_or(&[], Vec::as_slice);
        parse_present_columns(bytes, path, needed, optional).map_err(|e| e.to_string())
    }
}
