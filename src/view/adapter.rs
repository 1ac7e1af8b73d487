//! Whether this machine can draw: a graphics adapter, and a display for a window.

use bevy::tasks::block_on;

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotDraw {
    /// No adapter.
    #[error(
        "no graphics adapter was found; a software one comes with `apt-get install mesa-vulkan-drivers libvulkan1` on Debian and Ubuntu"
    )]
    NoAdapter,
    /// No display.
    #[error("no display was found: {0}")]
    NoDisplay(String),
}

/// A graphics adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// Whether the processor does its work.
    pub software: bool,
}

/// The graphics adapter that would be used.
///
/// # Errors
/// There is none.
pub fn adapter() -> Result<Adapter, CannotDraw> {
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapters = block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let usable = adapters.into_iter().map(|a| a.get_info());
    usable
        .min_by_key(|info| match info.device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            _ => 3,
        })
        .map(|info| Adapter {
            name: info.name,
            software: info.device_type == wgpu::DeviceType::Cpu,
        })
        .ok_or(CannotDraw::NoAdapter)
}

/// Whether a window can be opened, as far as can be told without opening one.
///
/// # Errors
/// Says what is missing.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn display() -> Result<(), CannotDraw> {
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    let given = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    if let Some(wayland) = given("WAYLAND_DISPLAY") {
        let folder = given("XDG_RUNTIME_DIR")
            .map(PathBuf::from)
            .unwrap_or_default();
        if UnixStream::connect(folder.join(wayland)).is_ok() {
            return Ok(());
        }
    }
    let Some(display) = given("DISPLAY") else {
        return Err(CannotDraw::NoDisplay(
            "neither DISPLAY nor WAYLAND_DISPLAY is set".into(),
        ));
    };
    // A display of another machine can only be tried.
    let Some(number) = display
        .strip_prefix(':')
        .or_else(|| display.strip_prefix("unix:"))
    else {
        return Ok(());
    };
    let number = number.split('.').next().unwrap_or(number);
    match UnixStream::connect(format!("/tmp/.X11-unix/X{number}")) {
        Ok(_) => Ok(()),
        Err(_) if abstract_socket(number) => Ok(()),
        Err(error) => Err(CannotDraw::NoDisplay(format!(
            "DISPLAY is {display}, but {error}"
        ))),
    }
}

/// Whether an X server listens on Linux's abstract socket.
#[cfg(target_os = "linux")]
fn abstract_socket(number: &str) -> bool {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixStream};
    SocketAddr::from_abstract_name(format!("/tmp/.X11-unix/X{number}"))
        .and_then(|address| UnixStream::connect_addr(&address))
        .is_ok()
}

#[cfg(all(unix, not(target_os = "linux"), not(target_os = "macos")))]
fn abstract_socket(_: &str) -> bool {
    false
}

/// Whether a window can be opened: always, on systems that have a desktop.
///
/// # Errors
/// None.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn display() -> Result<(), CannotDraw> {
    Ok(())
}
