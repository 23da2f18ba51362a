//! `wayside lsp`

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::civil::Date;

use super::reading::Reading;
use super::{CLEAN, FINDINGS, screen};
use crate::lsp::{self, End};

/// Speak the language server protocol over stdin and stdout, for editors.
///
/// Diagnostics, quick fixes, completion, hover, formatting, rename, hints and lenses for `.route` files. It reads the files of
/// the workspace, changes none, and opens no network connection.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Neovim (0.11 and later), in init.lua:
  vim.filetype.add({ extension = { route = 'route' } })
  vim.lsp.config('wayside', { cmd = { 'wayside', 'lsp' }, filetypes = { 'route' },
                              root_markers = { 'wayside.yaml', '.git' } })
  vim.lsp.enable('wayside')

Helix, in languages.toml:
  [language-server.wayside]
  command = \"wayside\"
  args = [\"lsp\"]
  [[language]]
  name = \"route\"
  scope = \"source.route\"
  file-types = [\"route\"]
  comment-token = \"#\"
  roots = [\"wayside.yaml\"]
  language-servers = [\"wayside\"]

VS Code, with any generic language client extension: command `wayside`, arguments [\"lsp\"], files `*.route`.
  A client of your own starts `new LanguageClient('wayside', { command: 'wayside', args: ['lsp'] },
  { documentSelector: [{ pattern: '**/*.route' }] })`, and may register the commands `wayside.explain` and
  `wayside.runTest` that lenses name. Their one argument has `path`, and `request` (what `wayside explain` takes) or
  `test`. The request `wayside/witness` with `textDocument` and `position` or `rule` answers with a request that
  lands at a rule.

Exit codes: 0 after `shutdown`, 1 without it, 2 when the input is not the protocol.")]
pub struct Args {
    /// Judge dates as if it were this day (YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,

    /// Facts to lay over the built-in catalog; otherwise the `catalog.yaml` beside the policy, if there is one
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,

    /// What editors pass to every server: stdin and stdout are the only way to talk
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Serves one editor.
pub fn run(args: &Args) -> ExitCode {
    let reading = Reading { today: args.today, catalog: args.catalog.clone(), fuel: None };
    match lsp::serve(reading.how()) {
        End::Clean => ExitCode::from(CLEAN),
        End::Abrupt => ExitCode::from(FINDINGS),
        End::Broken(reason) => screen::broken(&reason),
    }
}
