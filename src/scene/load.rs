//! From a scene file to a checked network description.
//!
//! A scene is found by path or, for one that ships with the program, by name. Its text is parsed with positions, so that whatever is wrong,
//! in the text or in what it says, is reported with file, line and column.

use super::prepare::{BuildError, Prepared, prepare};
use super::decode::{Decode, Decoder};
use super::encode::Encode;
use super::error::{SceneError, unknown};
use super::expression::Context;
use super::context::named_nodes;
use super::parse::{Node, Value, parse};
use super::schema::{ModelValue, Scene};
use super::shipped;
use crate::files::Files;
use crate::network::distribution::Distribution;
use crate::neurons::ReflectNeuronModel;
use crate::results::table::parse_present_columns;
use crate::simulation::Registry;
use bevy::reflect::PartialReflect;
use std::cell::RefCell;
use std::collections::BTreeMap;
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
            let bytes = std::fs::read(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
            let text = String::from_utf8(bytes).map_err(|e| {
                failed(format!("is not UTF-8 text (byte {})", e.utf8_error().valid_up_to()))
            })?;
            return Ok(Self {
                name: name.into(),
                text,
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
        let looks_like_a_path = name.contains(['/', '\\']) || name.ends_with(".ron");
        Err(if looks_like_a_path {
            failed("no such file".into())
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
pub fn load(source: SceneSource, overrides: &[(String, String)], registry: &Registry) -> Result<LoadedScene, SceneError> {
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
        body.take_field(what)
            .map_or(Ok(Vec::new()), |field| named_nodes(&file, what, &field.value))
    };
    let (parameters, definitions) = (named("parameters")?, named("definitions")?);
    let context = Context::new(&file, &parameters, &definitions, overrides)?;
    let types = registry.types.read();
    let decoder = Decoder::new(&types, &context, &file);
    let scene: Scene = decoder.decode(&body).map_err(|mut e| {
        if e.message.starts_with("unknown field") && e.path.is_empty() {
            e.message.push_str(", parameters, definitions");
        }
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
        let node = find(&self.tree, &error.path);
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

/// The node at a path such as `projections[2].weight`, or as deep as the text goes.
fn find<'a>(root: &'a Node, path: &str) -> &'a Node {
    let mut node = root;
    for part in path.split(['.', '[']) {
        let next = match part.strip_suffix(']') {
            Some(key) => match &inner(node).value {
                Value::List(items) => key.parse::<usize>().ok().and_then(|i| items.get(i)),
                Value::Map(entries) => entries
                    .iter()
                    .find(|(name, _)| matches!(&name.value, Value::Str(text) if *text == key.trim_matches('"')))
                    .map(|(_, value)| value),
                _ => None,
            },
            None => inner(node).field(part).map(|f| &f.value),
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    node
}

/// The value inside `Some(…)`, or the node itself.
fn inner(node: &Node) -> &Node {
    match &node.value {
        Value::Some(value) => value,
        _ => node,
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

impl Decode for Distribution {
    fn decode(decoder: &Decoder<'_>, node: &Node) -> Result<Self, SceneError> {
        let value = match node.value {
            Value::Number(_) | Value::Str(_) => Self::Constant(decoder.decode(node)?),
            _ => decoder.decode_plain(node)?,
        };
        value.check().map_err(|e| decoder.error(node, e))?;
        if let Some(range) = decoder.range() {
            let (low, high) = value.bounds();
            let open = |limit: f64| !limit.is_finite();
            for (bound, name) in [(low, "min"), (high, "max")] {
                let unbounded = open(bound) && (if name == "min" { open(range.min) } else { open(range.max) });
                if !unbounded && !range.contains(bound) {
                    let reaches = if open(bound) { "has no bound".into() } else { format!("reaches {bound}") };
                    return Err(decoder
                        .error(node, format!("the distribution {reaches} at its {name}; allowed is {range}"))
                        .with_help(format!("give `{name}`")));
                }
            }
        }
        Ok(value)
    }
}

impl Encode for ModelValue {
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
    fn columns(&self, path: &str, needed: &[&str], optional: &[&str]) -> Result<Vec<Option<Vec<f64>>>, String> {
        if !self.contents.borrow().contains_key(path) {
            let full = self.folder.join(path);
            let shown = full.display();
            let data = std::fs::metadata(&full).map_err(|e| match e.kind() {
                std::io::ErrorKind::NotFound => format!("no such file: {shown} (file names start from the scene's folder)"),
                _ => format!("{shown} cannot be read: {e}"),
            })?;
            if !data.is_file() {
                return Err(format!("{shown} is not a file"));
            }
            if data.len() > LARGEST_FILE {
                return Err(format!("{shown} has {} bytes; at most {LARGEST_FILE} are read", data.len()));
            }
            let bytes = std::fs::read(&full).map_err(|e| format!("{shown} cannot be read: {e}"))?;
            self.contents.borrow_mut().insert(path.into(), bytes);
        }
        let contents = self.contents.borrow();
        let bytes: &[u8] = contents.get(path).map_or(&[], Vec::as_slice);
        parse_present_columns(bytes, path, needed, optional).map_err(|e| e.to_string())
    }
}
