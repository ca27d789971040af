//! Shape of the repository: top level, imports, file sizes, script headers, `unsafe`, licences.
//!
//! Reads what is there instead of asking git, so that it also holds for a source archive.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that may stand at the top, beside dot files.
const TOP_LEVEL: [&str; 10] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "src",
    "buildroot",
    "board",
    "rootfs-overlay",
    "scripts",
    "tests",
];

/// What runs and builds leave there; `.gitignore` names them too.
const LEFT_BY_RUNS: [&str; 3] = ["target", "state", "output"];

/// Which folders of `src` a folder may import, besides itself and `domain`. A new arrow is a
/// design change: it gets a commit of its own, which says why.
const IMPORTS: [(&str, &[&str]); 26] = [
    ("domain", &[]),
    ("link", &[]),
    ("session", &[]),
    ("tls", &[]),
    ("net", &[]),
    ("store", &["session"]),
    ("audit", &["store"]),
    ("config", &[]),
    ("metrics", &[]),
    ("control", &["boot", "metrics"]),
    ("http", &[]),
    ("recording", &[]),
    ("boot", &[]),
    ("sandbox", &[]),
    ("esp", &["boot", "control"]),
    ("init", &["boot"]),
    (
        "supervisor",
        &["boot", "control", "config", "esp", "sandbox"],
    ),
    ("relay", RELAY),
    ("web", WEB),
    ("update", &["boot", "control", "config", "esp", "sandbox"]),
    ("agent", &["link", "tls", "config"]),
    ("endpoint", REMOTE),
    ("jumpoint", REMOTE),
    // `link`: both ends of the session by which a new version proves itself.
    ("cli", &["control", "config", "audit", "recording", "link"]),
    // Programs join what they need; `main` is short, so there is little to go wrong.
    ("bin", ANYTHING),
    ("lib.rs", ANYTHING),
];
const RELAY: &[&str] = &[
    "net",
    "tls",
    "http",
    "link",
    "session",
    "recording",
    "store",
    "audit",
    "control",
    "config",
    "metrics",
    "sandbox",
];
const WEB: &[&str] = &[
    "session",
    "recording",
    "store",
    "audit",
    "control",
    "config",
    "metrics",
    "sandbox",
];
const REMOTE: &[&str] = &["agent", "link", "session"];
const ANYTHING: &[&str] = &["*"];

/// Pure folders do without these modules of the standard library.
const PURE: [&str; 8] = [
    "domain",
    "link",
    "session",
    "tls",
    "http",
    "recording",
    "boot",
    "update/trust",
];
const IMPURE: [&str; 4] = [
    "std::net::Tcp",
    "std::fs::",
    "std::time::Instant",
    "std::thread",
];

/// Longer files are refused; beyond [`LINES_WARNED`] they are only mentioned.
const LINES_MAX: usize = 700;
const LINES_WARNED: usize = 500;

/// Licences that ask no more than to be named.
const LICENCES: [&str; 13] = [
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "MIT",
    "MIT-0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "Unlicense",
    "CC0-1.0",
    "Unicode-3.0",
    "CDLA-Permissive-2.0",
];

/// Second TLS stacks and C libraries that must not come in through a dependency's defaults.
const KEPT_OUT: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys", "native-tls"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` (relative to the root), without what tools put there.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.ends_with("node_modules") || path.ends_with("__pycache__") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn with_extension(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut files = files(folder);
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// `text` without comments: prose may name what code may not use.
fn code(path: &Path) -> String {
    let text = text(path);
    let lines = text.lines().map(|line| {
        let ends = line.find("//").filter(|at| !line[..*at].ends_with(':'));
        &line[..ends.unwrap_or(line.len())]
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Fails with every line of `problems`, if there is one.
fn none(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn the_top_level_is_fixed() {
    let mut problems = Vec::new();
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = TOP_LEVEL.contains(&&*name) || LEFT_BY_RUNS.contains(&&*name);
        if !known && !name.starts_with('.') {
            problems.push(format!("{name} stands at the top level"));
        }
    }
    none(&problems);
}

#[test]
fn folders_import_what_the_table_allows() {
    let mut problems = Vec::new();
    for path in with_extension("src", "rs") {
        let folder = folder_of(&path);
        let Some((_, allowed)) = IMPORTS.iter().find(|(name, _)| *name == folder) else {
            problems.push(format!("src/{folder} is not in the table"));
            continue;
        };
        for imported in imports(&code(&path)) {
            let fine = imported == folder
                || imported == "domain"
                || allowed.contains(&&*imported)
                || allowed == &ANYTHING;
            if !fine {
                problems.push(format!("{} imports {imported}", path.display()));
            }
        }
    }
    none(&problems);
}

/// The first name below `src`: a folder, or a file there.
fn folder_of(path: &Path) -> String {
    let below = path.strip_prefix("src").unwrap();
    let first = below.components().next().unwrap();
    first.as_os_str().to_str().unwrap().to_owned()
}

/// Folders that `code` names as `crate::folder`, also within braces.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` in a macro means the same; `my_crate::` does not.
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(inner) => found.extend(first_names_in_braces(inner)),
            None => found.extend(first_name(rest)),
        }
    }
    found
}

fn first_name(rest: &str) -> Option<String> {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    let name = &rest[..end.unwrap_or(rest.len())];
    // Types and functions at the root of the crate do not exist.
    (!name.is_empty()).then(|| name.to_owned())
}

fn first_names_in_braces(inner: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut starts = true;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts = true,
            c if starts && depth == 0 && !c.is_whitespace() => {
                names.extend(first_name(&inner[at..]));
                starts = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn imports_are_found_however_they_are_written() {
    let code = "use crate::link::Frame;\nuse crate::{store::{A, b}, net};\n\
                fn f() { $crate::tls::g(); my_crate::web::h() }";
    let found: Vec<_> = imports(code).into_iter().collect();
    assert_eq!(found, ["link", "net", "store", "tls"]);
}

#[test]
fn pure_folders_have_no_sockets_files_clocks_or_threads() {
    let mut problems = Vec::new();
    for folder in PURE {
        for path in with_extension(&format!("src/{folder}"), "rs") {
            let code = code(&path);
            // What tests use is theirs to say.
            let code = code.split("#[cfg(test)]").next().unwrap_or_default();
            for name in IMPURE.iter().filter(|name| code.contains(**name)) {
                problems.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    none(&problems);
}

#[test]
fn unsafe_code_is_where_it_is_expected() {
    let mut problems = Vec::new();
    let tests = with_extension("tests", "rs");
    for path in with_extension("src", "rs").into_iter().chain(tests) {
        let expected = path.starts_with("src/net")
            || ["sandbox", "endpoint", "init"]
                .iter()
                .any(|folder| path == Path::new("src").join(folder).join("sys.rs"))
            || path.ends_with("tidy.rs");
        let code = code(&path);
        // Not the word alone: a security policy may forbid 'unsafe-inline'.
        let forms = [
            "unsafe {",
            "unsafe fn",
            "unsafe impl",
            "unsafe extern",
            "(unsafe_code)",
        ];
        if !expected && forms.iter().any(|form| code.contains(form)) {
            problems.push(format!("{} uses unsafe", path.display()));
        }
    }
    none(&problems);
}

#[test]
fn files_are_short_enough_to_hold_one_concept() {
    let mut problems = Vec::new();
    for path in ["src", "tests", "scripts"].into_iter().flat_map(files) {
        let extension = path.extension().and_then(|found| found.to_str());
        let counted = match extension {
            Some("rs" | "ts" | "tsx" | "css" | "sh" | "mjs" | "sql") => true,
            None => path.starts_with("scripts"),
            _ => false,
        };
        if !counted || path.starts_with("src/web/dist") {
            continue;
        }
        let lines = text(&path).lines().count();
        if lines > LINES_MAX {
            problems.push(format!("{} has {lines} lines", path.display()));
        } else if lines > LINES_WARNED {
            println!("{} has {lines} lines: two concepts?", path.display());
        }
    }
    none(&problems);
}

#[test]
fn modules_say_what_they_are_for() {
    let mut problems = Vec::new();
    for path in with_extension("src", "rs") {
        // Tests beside the code are introduced by it.
        if !text(&path).starts_with("//! ") && !path.ends_with("tests.rs") {
            problems.push(format!("{} opens without saying so", path.display()));
        }
    }
    none(&problems);
}

#[test]
fn scripts_open_with_their_manual() {
    let mut problems = Vec::new();
    for path in files("scripts").into_iter().chain([".ci/run".into()]) {
        let text = text(&path);
        let header: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .collect();
        let is_sourced = path.extension().is_some_and(|found| found == "sh");
        let asked = if is_sourced { "source" } else { "Usage" };
        if header.len() < 3 || !header.iter().any(|line| line.contains(asked)) {
            problems.push(format!("{}: no header with '{asked}'", path.display()));
        }
        if !is_sourced && !header[0].starts_with("#!") {
            problems.push(format!("{}: no interpreter", path.display()));
        }
        if text.lines().count() > 100 {
            problems.push(format!("{}: does not fit on a screen", path.display()));
        }
    }
    none(&problems);
}

/// A lock file or configuration with a host name in it works on one network only.
#[test]
fn no_file_names_a_package_registry() {
    // Written in two parts, or this file would be the first to be found.
    let hosts = [
        ("crates", ".io"),
        ("registry.npm", "js.org"),
        ("py", "pi.org"),
        ("files.python", "hosted.org"),
        ("arti", "factory"),
    ];
    let mut problems = Vec::new();
    let folders = [
        "src",
        "tests",
        "scripts",
        "buildroot",
        "board",
        "rootfs-overlay",
        ".ci",
    ];
    let top = ["Cargo.toml", "README.md", ".deny.toml"].map(PathBuf::from);
    for path in folders.into_iter().flat_map(files).chain(top) {
        // Cargo writes them there; what is left by a run of tests/fuzz is not kept anyway.
        if path.ends_with("Cargo.lock") {
            continue;
        }
        let text = text(&path);
        for (first, second) in hosts {
            if text.contains(&format!("{first}{second}")) {
                problems.push(format!("{} names {first}{second}", path.display()));
            }
        }
    }
    none(&problems);
}

fn cargo(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(words)
        .args(["--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every crate that is linked on our platform, with its licence: `name|version|licence`.
fn crates() -> Vec<(String, String)> {
    let format = "{p}|{l}";
    let target = "x86_64-unknown-linux-gnu";
    let words = ["tree", "--edges", "normal,build,dev", "--prefix", "none"];
    let words = [&words[..], &["--target", target, "--format", format]].concat();
    let listed = cargo(&words);
    let lines: BTreeSet<&str> = listed
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .collect();
    lines
        .into_iter()
        .filter_map(|line| line.rsplit_once('|'))
        .map(|(name, licence)| (name.to_owned(), licence.to_owned()))
        .collect()
}

#[test]
fn every_dependency_may_be_shipped() {
    let mut problems = Vec::new();
    for (name, licence) in crates() {
        if !is_allowed(&licence) {
            problems.push(format!("{name}: licence '{licence}'"));
        }
    }
    none(&problems);
}

/// Whether an SPDX expression of AND and OR can be met by [`LICENCES`]. Old ones write `/` for OR.
fn is_allowed(expression: &str) -> bool {
    let flat = expression.replace('/', " OR ");
    let flat = flat.trim();
    // AND binds tighter (SPDX 2.3, annex D), so the expression is cut at OR first.
    if let Some((before, after)) = split_outside_brackets(flat, " OR ") {
        return is_allowed(before) || is_allowed(after);
    }
    if let Some((before, after)) = split_outside_brackets(flat, " AND ") {
        return is_allowed(before) && is_allowed(after);
    }
    match flat
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        Some(inner) => is_allowed(inner),
        None => LICENCES.contains(&flat),
    }
}

fn split_outside_brackets<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let at = text.match_indices(word).find_map(|(at, _)| {
        let before = &text[..at];
        (before.matches('(').count() == before.matches(')').count()).then_some(at)
    })?;
    Some((&text[..at], &text[at + word.len()..]))
}

#[test]
fn licence_expressions_are_understood() {
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "MIT OR GPL-2.0 AND ISC",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND MPL-2.0",
        "(MIT OR GPL-2.0) AND AGPL-3.0",
    ] {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn one_tls_stack_is_linked() {
    let mut problems = Vec::new();
    for (name, _) in crates() {
        let plain = name.split(' ').next().unwrap_or_default();
        if KEPT_OUT.contains(&plain) {
            problems.push(format!("{name} is linked"));
        }
    }
    none(&problems);
}
