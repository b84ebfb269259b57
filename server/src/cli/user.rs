//! `tmserver user`: the people who can log in.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, bail};
use clap::Subcommand;
use tm_engine::BackendChoice;

use crate::config::Config;
use crate::environment::Environment;
use crate::resources::experiment::{Experiment, queries as experiments, sharing};
use crate::resources::user::{self, User, queries as users};
use crate::store::Tx;

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
    /// Change a user's password, which ends all sessions; asks for it
    Passwd {
        /// Login name
        name: String,
        /// Read the password from standard input, one line
        #[arg(long)]
        password_stdin: bool,
    },
    /// End all sessions of a user: no token given out so far counts any more
    RevokeTokens {
        /// Login name
        name: String,
    },
    /// List the users, with the experiments that each owns or may use
    List,
    /// Remove a user who owns no experiment
    Remove {
        /// Login name
        name: String,
    },
    /// Let a user look at an experiment
    Share {
        /// Id of the experiment, or its name if no other has it
        experiment: String,
        /// Login name
        name: String,
        /// Let the user change it, too; without this flag a right to change is taken back
        #[arg(long)]
        write: bool,
    },
    /// Let a user look at an experiment no more
    Unshare {
        /// Id of the experiment, or its name if no other has it
        experiment: String,
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
        UserCommand::RevokeTokens { name } => {
            user::revoke_tokens(&environment, &name).await?;
            println!("revoked the tokens of user {name}; a running server notices within five seconds");
        }
        UserCommand::List => print!("{}", list(&mut environment.db.read().await?).await?),
        UserCommand::Remove { name } => {
            user::remove(&environment, &name).await?;
            println!("removed user {name}");
        }
        UserCommand::Share { experiment, name, write } => {
            let experiment = sharing::share(&environment, &experiment, &name, write).await?;
            let right = if write { "read and change" } else { "read" };
            println!("user {name} may {right} {}", sharing::described(&experiment));
        }
        UserCommand::Unshare { experiment, name } => {
            let experiment = sharing::unshare(&environment, &experiment, &name).await?;
            println!("{} is no longer shared with user {name}", sharing::described(&experiment));
        }
    }
    environment.db.close().await;
    Ok(())
}

/// A line per user: name and address; below it one per experiment: right, id, name, owner.
async fn list(tx: &mut Tx) -> anyhow::Result<String> {
    let experiments = experiments::all(tx).await?;
    let shares = experiments::shares(tx).await?;
    let right = |user: &User, experiment: &Experiment| {
        if experiment.user_id == user.id {
            return Some("owns");
        }
        let share =
            shares.iter().find(|share| (share.experiment_id, share.user_id) == (experiment.id, user.id))?;
        Some(if share.write_access { "may change" } else { "may read" })
    };
    let mut text = String::new();
    for user in users::list(tx).await? {
        text += &format!("{}\t{}\n", user.name, user.email);
        for experiment in &experiments {
            if let Some(right) = right(&user, experiment) {
                text += &format!("\t{right} {}\n", sharing::described(experiment));
            }
        }
    }
    Ok(text)
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
