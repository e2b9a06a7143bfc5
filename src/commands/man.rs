//! `loadgate man`: manual pages, one per command, from the definition of the command line. [I/O]

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Done;
use crate::cli::Cli;
use crate::files;

/// Writes `loadgate.1`, `loadgate-check.1`, … into the folder.
pub fn run(folder: &Path) -> anyhow::Result<Done> {
    let shown = folder.display();
    files::create_folder(folder).with_context(|| format!("{shown}: the folder cannot be made"))?;
    let command = Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, folder).with_context(|| format!("{shown}: the pages cannot be written"))?;
    Ok(Done::printed(format!("wrote manual pages into {shown}; read one with `man {shown}/loadgate-check.1`\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_page() {
        let folder = tempfile::tempdir().unwrap();
        run(&folder.path().join("man")).unwrap();
        let pages: Vec<String> = std::fs::read_dir(folder.path().join("man"))
            .unwrap()
            .map(|page| page.unwrap().file_name().into_string().unwrap())
            .collect();
        for command in Cli::command().get_subcommands() {
            let page = format!("loadgate-{}.1", command.get_name());
            assert!(pages.contains(&page), "{page} is not in {pages:?}");
        }
        let main = std::fs::read_to_string(folder.path().join("man/loadgate.1")).unwrap();
        assert!(main.contains(".TH loadgate") && main.contains("Exit codes"), "{main}");
    }
}
