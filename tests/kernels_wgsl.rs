//! Every kernel is valid WGSL: naga parses and validates it, with no GPU needed.

use naga::valid::{Capabilities, ValidationFlags, Validator};
use neuropil::neurons::ReflectNeuronModel;
use neuropil::prelude::Registry;
use neuropil::sim::math::WGSL_PRELUDE;

/// What naga finds wrong with a shader.
fn validate(source: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|e| e.emit_to_string(source))?;
    Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map(drop)
        .map_err(|e| e.emit_to_string(source))
}

#[test]
fn every_kernel_is_valid_wgsl() {
    let registry = Registry::new();
    let types = registry.types.read();
    let (mut seen, mut invalid) = (Vec::new(), Vec::new());
    for registration in types.iter() {
        let Some(wgsl) = registration
            .data::<ReflectNeuronModel>()
            .and_then(|model| model.wgsl)
        else {
            continue;
        };
        let name = registration.type_info().type_path_table().short_path();
        for (kernel, text) in wgsl() {
            let source = format!("{WGSL_PRELUDE}{text}");
            assert!(source.contains("fn step("), "{name} {kernel} has no step");
            if let Err(message) = validate(&source) {
                invalid.push(format!("{name} {kernel}: {message}"));
            }
            seen.push(format!("{name} {kernel}"));
        }
    }
    assert!(
        invalid.is_empty(),
        "{} of {} kernels are invalid:\n{}",
        invalid.len(),
        seen.len(),
        invalid.join("\n")
    );
    for name in [
        "AdEx update",
        "HhSquid update",
        "Izhikevich euler",
        "Izhikevich published",
        "Izhikevich published_single",
        "Izhikevich stable",
        "LifExp update",
    ] {
        assert!(
            seen.iter().any(|kernel| kernel == name),
            "{name} is not among the kernels: {seen:?}"
        );
    }
}

mod faulty {
    neuropil::kernel! {
        /// Rust takes it; WGSL reserves the word.
        pub mod reserved;
        params { leak: f32 }
        state { v: f32 in Membrane }
        input { drive }
        step(p, s, x, now) {
            let active = s.v * p.leak;
            Next(active, active > x.drive)
        }
    }
    neuropil::kernel! {
        /// Rust has its `f32::sqrt`; WGSL has no methods.
        pub mod method;
        params { leak: f32 }
        state { v: f32 in Membrane }
        input { drive }
        step(p, s, x, now) {
            Next(s.v.abs() * p.leak, s.v > x.drive)
        }
    }
}

#[test]
fn what_only_rust_understands_is_found() {
    use neuropil::sim::kernel::Kernel;
    let faulty = [
        faulty::reserved::Executor::wgsl(),
        faulty::method::Executor::wgsl(),
    ];
    for (_, wgsl) in faulty.concat() {
        assert!(
            validate(&format!("{WGSL_PRELUDE}{wgsl}")).is_err(),
            "naga accepts\n{wgsl}"
        );
    }
}
