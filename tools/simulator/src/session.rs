//! One identity provider connected to one source, phase after phase.

use std::io::Write;

use anyhow::bail;

use crate::book::Book;
use crate::client::Link;
use crate::conversation::Conversation;
use crate::entra::Entra;
use crate::jumpcloud::JumpCloud;
use crate::lifecycle::Stage;
use crate::okta::Okta;
use crate::onelogin::OneLogin;
use crate::options::{Idp, Options, Phase};
use crate::people::Generator;
use crate::ping::Ping;
use crate::report::Report;
use crate::story::Story;

/// A conversation in steps, so that a caller can inspect the hub between the phases.
pub struct Session {
    pub(crate) options: Options,
    pub(crate) link: Link,
    pub(crate) book: Book,
    pub(crate) story: Story,
    pub(crate) generator: Generator,
    /// True once the resources of an earlier session were looked up.
    pub(crate) remembered: bool,
}

impl Session {
    /// Makes the people and their changes; sends nothing yet.
    ///
    /// # Errors
    /// See [`crate::run`].
    pub fn new(options: Options) -> anyhow::Result<Self> {
        if options.users == 0 {
            bail!("a directory without people has nothing to say: give at least one user");
        }
        let link = Link::open(&options, dress(&options))?;
        let (book, generator) = Book::generate(&options);
        let story = Story::write(&options, &book);
        Ok(Self { options, link, book, story, generator, remembered: false })
    }

    /// Plays one phase to its end, after looking up the resources of an earlier session of the same seed.
    ///
    /// # Errors
    /// When the session is over: nothing listens at the address, or the hub refuses the token. Other requests that fail are
    /// findings.
    pub async fn play<W: Write>(&mut self, phase: Phase, progress: &mut W) -> anyhow::Result<()> {
        let seed = self.options.seed;
        match self.options.idp {
            Idp::Okta => self.play_as(&Okta { custom: false }, phase, progress).await,
            Idp::OktaCustom => self.play_as(&Okta { custom: true }, phase, progress).await,
            Idp::Entra => self.play_as(&Entra { flag: false, seed }, phase, progress).await,
            Idp::EntraFlag => self.play_as(&Entra { flag: true, seed }, phase, progress).await,
            Idp::OneLogin => self.play_as(&OneLogin, phase, progress).await,
            Idp::JumpCloud => self.play_as(&jumpcloud(&self.options), phase, progress).await,
            Idp::Ping => self.play_as(&Ping, phase, progress).await,
        }
        self.link.refused().map_or(Ok(()), |why| bail!("{why}"))
    }

    /// The report so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let idp = self.options.idp;
        self.link.ledger().report(idp.name(), self.options.seed, self.book.expected(idp))
    }

    /// Closes the recording and returns the report.
    ///
    /// # Errors
    /// When the recording could not be written to the end.
    pub fn finish(self) -> anyhow::Result<Report> {
        self.link.finish()?;
        Ok(self.report())
    }

    async fn play_as<C: Conversation, W: Write>(&mut self, idp: &C, phase: Phase, progress: &mut W) {
        Stage { session: self, idp, out: progress }.play(phase).await;
    }
}

fn dress(options: &Options) -> crate::call::Dress {
    match options.idp {
        Idp::Okta | Idp::OktaCustom => Okta { custom: false }.dress(),
        Idp::Entra => Entra { flag: false, seed: 0 }.dress(),
        Idp::EntraFlag => Entra { flag: true, seed: 0 }.dress(),
        Idp::OneLogin => OneLogin.dress(),
        Idp::JumpCloud => jumpcloud(options).dress(),
        Idp::Ping => Ping.dress(),
    }
}

fn jumpcloud(options: &Options) -> JumpCloud {
    JumpCloud { test_email: format!("jumpcloud.test.{}@{}", options.seed, options.domain) }
}
