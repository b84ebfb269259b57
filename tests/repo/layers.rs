//! Who may import whom.

use crate::sources::{code, files};

/// A crate, and the only places of the folder that may name it.
struct Rule {
    folder: &'static str,
    name: &'static str,
    allowed: fn(&str) -> bool,
}

const RULES: &[Rule] = &[
    Rule {
        folder: "server/src",
        name: "axum::",
        allowed: |path| {
            path.starts_with("server/src/http/")
                || path.starts_with("server/src/error/")
                || (path.starts_with("server/src/resources/") && path.ends_with("/handlers.rs"))
                || path == "server/src/routes.rs"
                || path == "server/src/app.rs"
        },
    },
    Rule {
        folder: "server/src",
        name: "sqlx::",
        allowed: |path| path.starts_with("server/src/store/") || is_queries(path),
    },
    Rule {
        folder: "engine/src",
        name: "wgpu::",
        allowed: |path| {
            path.starts_with("engine/src/gpu/")
                || (path.starts_with("engine/src/kernels/")
                    && (path.ends_with("/gpu.rs") || path.contains("/gpu/")))
        },
    },
    Rule { folder: "server/src", name: "wgpu::", allowed: |_| false },
    Rule { folder: "engine/src", name: "tokio::", allowed: |_| false },
    Rule { folder: "engine/src", name: "axum::", allowed: |_| false },
    Rule { folder: "engine/src", name: "sqlx::", allowed: |_| false },
    Rule { folder: "engine/src", name: "std::fs", allowed: |_| false },
    Rule { folder: "engine/src", name: "std::env", allowed: |_| false },
    Rule {
        folder: "server/src",
        name: "SystemTime::now",
        allowed: |path| path == "server/src/store/clock.rs",
    },
];

/// `queries.rs` of a resource, or a file of its `queries/` folder.
fn is_queries(path: &str) -> bool {
    path.starts_with("server/src/resources/") && (path.ends_with("/queries.rs") || path.contains("/queries/"))
}

/// Lines that name the crate, other than deriving a row type, which names no connection.
fn offences(rule: &Rule, path: &str, text: &str) -> Vec<String> {
    if (rule.allowed)(path) {
        return Vec::new();
    }
    code(text)
        .lines()
        .enumerate()
        .filter(|(_, line)| line.contains(rule.name))
        .filter(|(_, line)| !(rule.name == "sqlx::" && line.contains("sqlx::FromRow")))
        .map(|(number, line)| format!("{path}:{}: {}", number + 1, line.trim()))
        .collect()
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut found = Vec::new();
    for rule in RULES {
        for (path, text) in files(rule.folder, "rs") {
            found.extend(offences(rule, &path, &text));
        }
    }
    assert!(found.is_empty(), "imports where they do not belong:\n{}", found.join("\n"));
}

#[test]
fn the_check_of_imports_finds_an_offence() {
    let rule = &RULES[1];
    let text = "use sqlx::Row;\n// sqlx::Row\n#[derive(sqlx::FromRow)]\n";
    assert_eq!(offences(rule, "server/src/workflow/job.rs", text).len(), 1);
    assert!(offences(rule, "server/src/resources/plate/queries.rs", text).is_empty());
}

#[test]
fn the_engine_depends_on_nothing_of_the_server() {
    let manifest = std::fs::read_to_string(crate::sources::root().join("engine/Cargo.toml")).unwrap();
    for name in ["tokio", "axum", "sqlx", "tm-server", "reqwest", "zarrs"] {
        assert!(!manifest.lines().any(|line| line.starts_with(name)), "engine/Cargo.toml depends on {name}");
    }
}

#[test]
fn storage_knows_neither_database_nor_http_nor_resources() {
    for (path, text) in files("server/src/storage", "rs") {
        let code = code(&text);
        for name in ["crate::resources", "crate::store", "crate::http", "crate::workflow", "crate::app"] {
            assert!(!code.contains(name), "{path} names {name}");
        }
    }
}
