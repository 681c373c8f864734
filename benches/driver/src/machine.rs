//! The machine on which the figures were measured.

use std::fs::read_to_string;
use std::process::Command;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) caches: String,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) huge_pages: String,
}

const UNKNOWN: &str = "unknown";

/// The machine this runs on.
pub(crate) fn describe() -> Machine {
    let huge_pages = line("/sys/kernel/mm/transparent_hugepage/enabled");
    let chosen = huge_pages
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or(UNKNOWN, |(chosen, _)| chosen);
    Machine {
        processor: processor(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        caches: caches(),
        memory: memory(),
        kernel: line("/proc/sys/kernel/osrelease"),
        rustc: rustc(),
        huge_pages: chosen.to_string(),
    }
}

impl Machine {
    /// On two lines.
    pub(crate) fn text(&self) -> String {
        format!(
            "{}, {} cores, caches {}, {} of memory\nLinux {}, transparent huge pages: {}, {}",
            self.processor,
            self.cores,
            self.caches,
            self.memory,
            self.kernel,
            self.huge_pages,
            self.rustc
        )
    }
}

fn line(path: &str) -> String {
    read_to_string(path).map_or(UNKNOWN.to_string(), |text| text.trim().to_string())
}

/// The field of a file of lines `name: value`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_string())
    });
    value.filter(|value| !value.is_empty())
}

fn processor() -> String {
    let field = |name| field("/proc/cpuinfo", name);
    match (field("model name"), field("cpu family"), field("model")) {
        (Some(name), Some(family), Some(model)) => {
            format!("{name} (family {family}, model {model})")
        }
        (name, ..) => name.unwrap_or_else(|| std::env::consts::ARCH.to_string()),
    }
}

/// Such as `L1d 48K, L2 2048K, L3 266240K`.
fn caches() -> String {
    let of = |index: usize| {
        let part = |name: &str| {
            let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}");
            read_to_string(path)
                .ok()
                .map(|text| text.trim().to_string())
        };
        let (level, kind, size) = (part("level")?, part("type")?, part("size")?);
        match kind.as_str() {
            "Instruction" => None,
            "Data" => Some(format!("L{level}d {size}")),
            _ => Some(format!("L{level} {size}")),
        }
    };
    let caches: Vec<String> = (0..8).filter_map(of).collect();
    if caches.is_empty() {
        return UNKNOWN.to_string();
    }
    caches.join(", ")
}

fn memory() -> String {
    let kilobytes = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map_or(UNKNOWN.to_string(), |kilobytes| {
        format!("{:.0} GiB", kilobytes / (1024.0 * 1024.0))
    })
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or(UNKNOWN.to_string(), |output| {
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    })
}
