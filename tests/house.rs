//! The order of the house, read from the source: no module imports one that stands below it in the map of `src/lib.rs`, and
//! within a folder nobody imports in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's name by its parts: `["report", "free_text", "enrich"]`.
type Module = Vec<String>;

/// Every module, with its source without comments and tests.
fn modules() -> BTreeMap<Module, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let place = path.strip_prefix(&root).expect("within src");
            let module: Module = place
                .with_extension("")
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .filter(|part| part != "mod")
                .collect();
            if module != ["lib"] && module != ["main"] {
                let source = fs::read_to_string(&path).expect("a source file");
                found.insert(module, code(&source));
            }
        }
    }
    found
}

/// The source up to its tests, without comments.
fn code(source: &str) -> String {
    let tests = source
        .find("#[cfg(test)]\nmod tests")
        .unwrap_or(source.len());
    let lines = source[..tests].lines();
    lines
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules that a module names in its paths.
fn imports(module: &Module, code: &str, known: &BTreeSet<Module>) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        follow(Vec::new(), &code[at + 7..], known, &mut found);
    }
    for (at, _) in code.match_indices("super::") {
        // Of several in a row, the first counts them.
        if code[..at].ends_with("super::") {
            continue;
        }
        let mut base = module.clone();
        let mut rest = &code[at..];
        while let Some(after) = rest.strip_prefix("super::") {
            base.pop();
            rest = after;
        }
        follow(base, rest, known, &mut found);
    }
    found
}

/// Follows a path, or a group of paths in braces, as long as it names modules.
fn follow(base: Module, path: &str, known: &BTreeSet<Module>, found: &mut BTreeSet<Module>) {
    if let Some(group) = path.strip_prefix('{') {
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    follow(base.clone(), group[start..at].trim(), known, found);
                    start = at + 1;
                    if c == '}' {
                        return;
                    }
                }
                _ => {}
            }
        }
        return;
    }
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, rest) = path.split_at(end.unwrap_or(path.len()));
    let mut longer = base.clone();
    longer.push(name.to_owned());
    if !known.contains(&longer) {
        found.insert(base);
    } else if let Some(rest) = rest.strip_prefix("::") {
        follow(longer, rest, known, found);
    } else {
        found.insert(longer);
    }
}

/// Who imports whom among the modules of each folder: at the place where their names part.
fn neighbours() -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
    let modules = modules();
    let known: BTreeSet<Module> = modules.keys().cloned().collect();
    let mut folders: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (module, code) in &modules {
        for import in imports(module, code, &known) {
            let same = module
                .iter()
                .zip(&import)
                .take_while(|(a, b)| a == b)
                .count();
            if let (Some(one), Some(other)) = (module.get(same), import.get(same)) {
                let folder = folders.entry(module[..same].to_vec()).or_default();
                folder.entry(one.clone()).or_default().insert(other.clone());
            }
        }
    }
    folders
}

/// The names in the map of `src/lib.rs`, in its order.
fn map() -> Vec<String> {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let library = fs::read_to_string(library).expect("a source file");
    library
        .lines()
        .filter_map(|line| line.strip_prefix("//! - ")?.split(": ").next())
        .flat_map(|names| names.split(", "))
        .map(|name| name.trim_matches(['[', ']', '`']).to_owned())
        .collect()
}

#[test]
fn no_module_imports_upward() {
    let map = map();
    let place = |name: &String| map.iter().position(|other| other == name);
    let folders = neighbours();
    let top = &folders[&Vec::new()];
    assert!(top.len() > 10, "modules were found");
    let mut wrong = Vec::new();
    for (module, imports) in top {
        for name in imports.iter().chain([module]) {
            assert!(place(name).is_some(), "{name} is not in the map");
        }
        for import in imports
            .iter()
            .filter(|import| place(import) >= place(module))
        {
            wrong.push(format!(
                "{module} imports {import}, which does not stand above it"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nobody_imports_in_a_circle() {
    let mut wrong = Vec::new();
    for (folder, imports) in neighbours() {
        // Whoever imports nobody that is left can't be in a circle.
        let mut left = imports.clone();
        loop {
            let before = left.len();
            let names: BTreeSet<String> = left.keys().cloned().collect();
            left.retain(|_, others| others.iter().any(|other| names.contains(other)));
            if left.len() == before {
                break;
            }
        }
        if !left.is_empty() {
            wrong.push(format!("in {}: {left:?}", folder.join("::")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
