//! Exit codes: one for each kind of failure, with what to do (DX12). They are stable.

use std::fmt;

macro_rules! exits {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $meaning:literal, $remedy:literal;)+) => {
        /// The kind of a failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Exit { $($(#[$doc])* $name),+ }

        impl Exit {
            /// All of them, in the order of their codes.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) const fn code(self) -> u8 {
                match self { $(Self::$name => $code),+ }
            }

            pub(crate) const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }

            pub(crate) const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy),+ }
            }
        }
    };
}

exits! {
    Internal = 1, "an error of the agent", "Report it with the message.";
    Usage = 2, "the command line is wrong", "See --help.";
    Config = 3, "the configuration cannot be read or is wrong", "Mend the file that the message names, or run setup again.";
    Privileges = 4, "a file cannot be read or written, or others may read the key", "Run the agent as the account that set it up, and give its files to that account alone.";
    Running = 5, "another run has not ended", "Wait for it, or end the process that the message names.";
    Directory = 6, "the directory cannot be read", "Mend what the message names; nothing was sent.";
    NoUsers = 7, "the directory has no person in scope", "Check the file, the groups in the configuration and the object classes; nothing was sent.";
    HubUnreachable = 8, "the hub does not answer", "Check the address, the network, the proxy and the certificate; the next run goes on.";
    NotAuthorized = 9, "the hub does not know the key, or it was revoked", "Run setup with a new install token.";
    OtherMachine = 10, "the key was made on another machine or by another account", "Run the agent there as that account, or run setup here.";
    Clock = 11, "the clock of this machine is wrong", "Set it, for instance by NTP.";
    Unverified = 12, "the upload is kept until an admin verifies the key", "Compare the fingerprint with the one at the hub, and verify it there.";
    ProvisioningOff = 13, "provisioning is switched off for the source", "An admin switches it on at the hub.";
    RemovalOverLimit = 14, "more people would leave than the limit allows; nothing was changed", "Check the directory; if they really leave, repeat with --removal-limit.";
    Refused = 15, "the hub refused the upload; nothing was changed", "See the message.";
    Unfinished = 16, "the outcome is not known yet", "The hub goes on by itself; see status.";
    HubFailed = 17, "the hub failed while it applied the upload", "Repeat later; the hub's operator finds the error in its log.";
    DirectoryAway = 18, "no server of the directory answers", "Check the addresses, the network and the firewall (ports 636 and 389); nothing was sent.";
    DirectoryLogin = 19, "the directory refuses the agent's account", "Correct bind_dn and the password, or have the account unlocked; nothing was sent.";
    DirectoryPassword = 20, "the password of the agent's account has expired or must be changed", "Set another one, best one that does not expire, and put it where the agent reads it; nothing was sent.";
    DirectoryCertificate = 21, "the certificate of the directory is not trusted", "Give the CA that signed it as ca_file, and the server by a name that its certificate has; nothing was sent.";
    DirectoryIncomplete = 22, "the directory gave a part of its entries alone", "Lift the limit that the message names for the agent's account; nothing was sent.";
    DirectoryBase = 23, "a base is not there, or the account may not read it", "Correct the base, or give the account the right to read it; nothing was sent.";
}

/// A failure of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// The hub's number and word, where it is the hub's answer.
    pub(crate) told: Option<(u16, String)>,
}

impl Exit {
    pub(crate) fn because(self, message: impl Into<String>) -> Failure {
        Failure { exit: self, message: message.into(), told: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.exit.meaning(), self.message, self.exit.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn dx12_each_kind_of_failure_has_a_code_of_its_own_and_a_remedy() {
        let codes: BTreeSet<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes.len(), Exit::ALL.len());
        assert!(!codes.contains(&0));
        for exit in Exit::ALL {
            assert!(exit.remedy().ends_with('.') && !exit.meaning().is_empty(), "{exit:?}");
        }
    }
}
