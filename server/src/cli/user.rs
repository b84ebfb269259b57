//! `tmserver user`: the people who can log in.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::Subcommand;
use tm_engine::BackendChoice;

use crate::config::Config;
use crate::environment::Environment;
use crate::resources::user::{self, queries};

/// Commands about the people who can log in.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user; asks for the password
    Add {
        /// Login name
        name: String,
        /// E-mail address [default: NAME@localhost]
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Read the password from standard input, one line
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change a user's password; asks for it
    Passwd {
        /// Login name
        name: String,
        /// Read the password from standard input, one line
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the users
    List,
    /// Remove a user who owns no experiment
    Remove {
        /// Login name
        name: String,
    },
}

/// Run one of the commands.
pub async fn user(config: Config, command: UserCommand) -> anyhow::Result<()> {
    // No pixels here, so no GPU is woken up.
    let config = Config { backend: BackendChoice::Cpu, ..config };
    let environment = Environment::open(&config).await?;
    match command {
        UserCommand::Add { name, email, password_stdin } => {
            let email = email.unwrap_or_else(|| format!("{name}@localhost"));
            let password = read_password(password_stdin)?;
            user::add(&environment, &name, &email, &password).await?;
            println!("added user {name}");
        }
        UserCommand::Passwd { name, password_stdin } => {
            let password = read_password(password_stdin)?;
            user::set_password(&environment, &name, &password).await?;
            println!("changed the password of user {name}");
        }
        UserCommand::List => {
            for user in queries::list(&mut environment.db.read().await?).await? {
                println!("{}\t{}", user.name, user.email);
            }
        }
        UserCommand::Remove { name } => {
            user::remove(&environment, &name).await?;
            println!("removed user {name}");
        }
    }
    environment.db.close().await;
    Ok(())
}

fn read_password(from_stdin: bool) -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    if from_stdin {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).context("cannot read the password")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    if !stdin.is_terminal() {
        bail!("there is no terminal to ask for the password on; use --password-stdin");
    }
    let password = rpassword::prompt_password("Password: ").context("cannot read the password")?;
    if password != rpassword::prompt_password("Again: ").context("cannot read the password")? {
        bail!("the two passwords differ");
    }
    Ok(password)
}
