//! The shell of the release workflow, run as it stands there, with `docker`, `gh`, `cargo` and `7z` played by small scripts.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const DIGEST: &str = "sha256:5a1e0f0000000000000000000000000000000000000000000000000000000001";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Answers what the workflow asks of each program, and writes down what it was asked.
const PROGRAMS: [(&str, &str); 4] = [
    (
        "docker",
        r#"case "$1 $2" in
"buildx imagetools") [[ $3 != inspect ]] || echo '{"schemaVersion":2,"digest":"DIGEST"}' ;;
"run --rm")
  shift 2
  folder=.
  while [[ $1 == -* ]]; do [[ $1 != -v ]] || folder=${2%%:*}; shift 2; done
  shift
  cd "$folder"
  exec LOADGATE "${@/#\/tmp\//$HOME/}" ;;
"login ghcr.io") cat >> "$HOME/password" ;;
esac"#,
    ),
    (
        "gh",
        r#"[[ " $* " != *" --input - "* ]] || { cat >> "$HOME/bodies"; }
case "$*" in
*git/trees*) echo tree-of-release ;;
*git/commits*) echo commit-of-release ;;
"api -X PATCH"*) [[ -z ${NO_MAJOR-} ]] ;;
esac"#,
    ),
    (
        "cargo",
        r#"[[ $1 != cyclonedx ]] || while [[ $# -gt 0 ]]; do [[ $1 != --override-filename ]] || echo '{"bomFormat":"CycloneDX"}' > "$2.json"; shift; done"#,
    ),
    ("7z", r#"[[ $1 == a && -d $3 ]] && touch "$2""#),
];

/// A folder with what the steps read, and the programs in front of the real ones.
struct Runner {
    folder: tempfile::TempDir,
    workflow: Value,
    /// What `${{ … }}` is, beyond what every release has.
    expressions: BTreeMap<&'static str, String>,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let here = folder.path().join("work");
        for file in [
            "Cargo.toml",
            "action.yml",
            "README.md",
            "LICENSE",
            "LICENSE-MIT",
            "LICENSE-APACHE",
            "src/locust/command.rs",
        ] {
            fs::create_dir_all(here.join(file).parent().unwrap()).unwrap();
            fs::copy(root.join(file), here.join(file)).unwrap();
        }
        fs::create_dir_all(here.join("tests/fixtures/seed")).unwrap();
        for file in ["load_results_api_20251017_143004.csv", "load_results_baseline_20251017_143004.csv"] {
            let path = format!("tests/fixtures/seed/{file}");
            fs::copy(root.join(&path), here.join(&path)).unwrap();
        }
        let changes = format!(
            "# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-12-01\n\n- The new.\n\n## [0.0.9]\n\n- The old.\n"
        );
        fs::write(here.join("CHANGELOG.md"), changes).unwrap();
        for (name, script) in PROGRAMS {
            let path = folder.path().join(name);
            let script = script.replace("DIGEST", DIGEST).replace("LOADGATE", env!("CARGO_BIN_EXE_loadgate"));
            fs::write(&path, format!("#!/bin/bash\necho \"{name} $*\" >> \"$HOME/calls\"\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let workflow = fs::read_to_string(root.join(".github/workflows/release.yml")).unwrap();
        let locust = format!("docker.io/locustio/locust:1@{DIGEST}");
        let expressions = BTreeMap::from([
            ("github.repository", "acme/loadgate".to_owned()),
            ("github.token", "secret".to_owned()),
            ("needs.check.outputs.version", VERSION.to_owned()),
            ("needs.check.outputs.locust-image", locust),
            ("steps.image.outputs.digest", DIGEST.to_owned()),
            ("steps.commit.outputs.sha", "commit-of-release".to_owned()),
            ("matrix.platform", "arm64".to_owned()),
            ("matrix.target", "x86_64-unknown-linux-gnu".to_owned()),
        ]);
        Self { folder, workflow: serde_saphyr::from_str(&workflow).unwrap(), expressions }
    }

    fn here(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// What is in a file of the runner, or nothing.
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }

    /// A string of the workflow with its expressions put in.
    fn filled(&self, value: &Value) -> String {
        let mut text = value.as_str().unwrap().to_owned();
        for (name, value) in &self.expressions {
            text = text.replace(&format!("${{{{ {name} }}}}"), value);
        }
        assert!(!text.contains("${{"), "an expression without a value in {text}");
        text
    }

    /// Runs the step as GitHub would: its own shell, and the variables of workflow, job and step.
    fn run(&self, job: &str, name: &str, more: &[(&str, &str)]) -> Output {
        let job = &self.workflow["jobs"][job];
        let steps = job["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no step `{name}`"));
        let mut bash = Command::new("bash");
        if job["defaults"]["run"]["shell"] == "bash" {
            bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c"]);
        } else {
            bash.args(["-e", "-c"]);
        }
        let script = step["run"].as_str().unwrap();
        assert!(!script.contains("${{"), "{name}: expressions reach a shell as variables only");
        let programs = self.folder.path().display();
        bash.arg(script).current_dir(self.here()).env_clear();
        bash.env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin")).env("HOME", self.folder.path());
        bash.env("GITHUB_OUTPUT", self.folder.path().join("output")).env("GITHUB_ACTOR", "ann").env("GITHUB_SHA", SHA);
        bash.env("GITHUB_REPOSITORY", "acme/loadgate").env("GITHUB_REF_NAME", format!("release-{VERSION}"));
        for part in [&self.workflow, job, step] {
            for (name, value) in part["env"].as_object().into_iter().flatten() {
                bash.env(name, self.filled(value));
            }
        }
        bash.envs(more.iter().copied()).output().unwrap()
    }

    fn passes(&self, job: &str, name: &str) {
        let output = self.run(job, name, &[]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_tag_is_the_version_of_the_source_and_the_changelog_knows_it() {
    let step = "The tag, Cargo.toml and the changelog agree";
    let runner = Runner::new();
    runner.passes("check", step);
    assert_eq!(runner.text("output"), format!("version={VERSION}\n"));
    assert!(!runner.run("check", step, &[("GITHUB_REF_NAME", "release-99.0.0")]).status.success());
    fs::write(runner.here().join("CHANGELOG.md"), "## [Unreleased]\n").unwrap();
    assert!(!runner.run("check", step, &[]).status.success());
}

#[test]
fn the_image_of_locust_is_named_by_digest() {
    let step = "The image of `loadgate run --engine docker`, by the digest that its version has now";
    let runner = Runner::new();
    runner.passes("check", step);
    let output = runner.text("output");
    let image = output.trim_end().strip_prefix("image=").unwrap();
    assert!(image.starts_with("docker.io/locustio/locust:") && image.ends_with(&format!("@{DIGEST}")), "{image}");
    assert_eq!(output.lines().count(), 1, "one image");
    let (tag, _) = image.split_once('@').unwrap();
    assert!(runner.text("calls").contains(&format!("docker buildx imagetools inspect {tag} --format")));
}

#[test]
fn an_image_is_built_judged_and_pushed() {
    let runner = Runner::new();
    for step in ["Build", "Judge a case with a known verdict", "Push"] {
        runner.passes("image", step);
    }
    let calls = runner.text("calls");
    let image = format!("ghcr.io/acme/loadgate:{VERSION}-arm64");
    assert!(calls.contains(&format!(
        "--build-arg VERSION={VERSION} --build-arg REVISION={SHA} --build-arg LOCUST_IMAGE=docker.io/"
    )));
    assert!(calls.contains(&format!("-t {image} .\n")) && calls.contains(&format!("docker push {image}\n")), "{calls}");
    assert_eq!(runner.text("password"), "secret\n", "never an argument");
    assert!(!calls.contains("secret"));
    // The case is there to fail: a program that passes it, or another version, is not published.
    let good = runner.here().join("tests/fixtures/seed/load_results_baseline_20251017_143004.csv");
    let bad = good.with_file_name("load_results_api_20251017_143004.csv");
    fs::copy(&good, &bad).unwrap();
    assert!(!runner.run("image", "Judge a case with a known verdict", &[]).status.success());
    assert!(!runner.run("image", "Judge a case with a known verdict", &[("VERSION", "99.0.0")]).status.success());
}

#[test]
fn a_packed_program_comes_with_licences_and_nothing_of_the_build() {
    for (target, program, packed) in [
        ("x86_64-unknown-linux-gnu", "loadgate", "tar.gz"),
        ("aarch64-apple-darwin", "loadgate", "tar.gz"),
        ("x86_64-pc-windows-msvc", "loadgate.exe", "zip"),
    ] {
        let mut runner = Runner::new();
        runner.expressions.insert("matrix.target", target.to_owned());
        let built = runner.here().join("target").join(target).join("dist");
        fs::create_dir_all(&built).unwrap();
        for file in [program, "loadgate.d", "loadgate.pdb"] {
            fs::write(built.join(file), "").unwrap();
        }
        runner.passes("binaries", "Pack");
        let name = format!("loadgate-{VERSION}-{target}");
        let mut files: Vec<String> = fs::read_dir(runner.here().join(&name))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["CHANGELOG.md", "LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "README.md", program]);
        let archive = runner.here().join("packed").join(format!("{name}.{packed}"));
        assert!(archive.is_file(), "{}", archive.display());
    }
}

#[test]
fn what_is_published_has_a_bill_of_materials_and_checksums() {
    let runner = Runner::new();
    let packed = runner.here().join("packed");
    fs::create_dir(&packed).unwrap();
    fs::write(packed.join("loadgate.tar.gz"), "program").unwrap();
    runner.passes("publish", "List of what is inside");
    let sums = fs::read_to_string(packed.join("SHA256SUMS")).unwrap();
    let names: Vec<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, [&format!("loadgate-{VERSION}.cdx.json"), "loadgate.tar.gz"]);
    let check = Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(&packed).output().unwrap();
    assert!(check.status.success());
}

#[test]
fn one_commit_names_the_tested_image_and_becomes_the_release() {
    let runner = Runner::new();
    runner.passes("publish", "One image for both platforms");
    assert_eq!(runner.text("output"), format!("digest={DIGEST}\n"));
    let image = format!("ghcr.io/acme/loadgate:{VERSION}");
    assert!(runner.text("calls").contains(&format!("imagetools create -t {image} {image}-amd64 {image}-arm64\n")));

    runner.passes("publish", "Commit that names the image");
    assert!(runner.text("output").ends_with("sha=commit-of-release\n"));
    let action = fs::read_to_string(runner.here().join("action.yml")).unwrap();
    let action_in_tree = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    let named =
        action_in_tree.replace("  image: Dockerfile\n", &format!("  image: docker://ghcr.io/acme/loadgate@{DIGEST}\n"));
    assert!(action == named && named != action_in_tree, "only the image differs");
    let bodies = runner.text("bodies");
    let bodies: Vec<Value> = serde_json::Deserializer::from_str(&bodies).into_iter().map(Result::unwrap).collect();
    assert_eq!(bodies[0]["base_tree"], SHA);
    assert_eq!(bodies[0]["tree"][0]["content"], action.as_str());
    let commit = serde_json::json!({
        "message": format!("Release {VERSION}"), "tree": "tree-of-release", "parents": [SHA],
    });
    assert_eq!(bodies[1], commit);
    let tag = format!("gh api repos/acme/loadgate/git/refs -f ref=refs/tags/v{VERSION} -f sha=commit-of-release\n");
    assert!(runner.text("calls").ends_with(&tag), "{}", runner.text("calls"));

    // A second time there is no line to replace: rather no release than one without an image.
    assert!(!runner.run("publish", "Commit that names the image", &[("DIGEST", "sha256:other")]).status.success());
}

#[test]
fn the_notes_are_the_section_of_the_changelog() {
    let runner = Runner::new();
    let packed = runner.here().join("packed");
    fs::create_dir(&packed).unwrap();
    fs::write(packed.join("SHA256SUMS"), "").unwrap();
    runner.passes("publish", "Release");
    assert_eq!(fs::read_to_string(runner.here().join("notes.md")).unwrap().trim(), "- The new.");
    let calls = runner.text("calls");
    assert!(calls.starts_with(&format!("gh release create v{VERSION} --verify-tag ")), "{calls}");
    assert!(calls.ends_with(" packed/SHA256SUMS\n"), "{calls}");
}

#[test]
fn the_major_tag_moves_or_is_made() {
    let runner = Runner::new();
    runner.passes("publish", "Move the major tag");
    let major = VERSION.split_once('.').unwrap().0;
    let moved =
        format!("gh api -X PATCH repos/acme/loadgate/git/refs/tags/v{major} -f sha=commit-of-release -F force=true\n");
    assert_eq!(runner.text("calls"), moved);
    let output = runner.run("publish", "Move the major tag", &[("NO_MAJOR", "1")]);
    assert!(output.status.success());
    let made = format!("gh api repos/acme/loadgate/git/refs -f ref=refs/tags/v{major} -f sha=commit-of-release\n");
    assert!(runner.text("calls").ends_with(&made));
}
