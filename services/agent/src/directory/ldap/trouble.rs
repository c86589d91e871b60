//! The failure of a server, as an exit code and a sentence that says what to mend.

use crate::config::Domain;
use crate::exit::{Exit, Failure};
use ldap3::{LdapError, LdapResult};
use rollcall_core::clock::Clock;
use rustls::CertificateError;

/// A failure at one server.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) exit: Exit,
    pub(super) message: String,
    /// True if another server may do better. A refused password is not tried elsewhere: the account would be locked.
    pub(super) elsewhere: bool,
}

impl Trouble {
    pub(super) fn final_one(exit: Exit, message: String) -> Self {
        Self { exit, message, elsewhere: false }
    }

    fn of_server(exit: Exit, message: String) -> Self {
        Self { exit, message, elsewhere: true }
    }

    pub(super) fn failure(self) -> Failure {
        self.exit.because(format!("{}.", self.message.trim_end_matches('.')))
    }
}

/// The failure of a domain none of whose servers was of use: a certificate tells more than a silence.
pub(super) fn of_all(troubles: Vec<Trouble>) -> Failure {
    let telling = troubles.iter().find(|trouble| trouble.exit != Exit::DirectoryAway).or_else(|| troubles.last());
    let exit = telling.map_or(Exit::DirectoryAway, |trouble| trouble.exit);
    let messages: Vec<&str> = troubles.iter().map(|trouble| trouble.message.as_str()).collect();
    Trouble::final_one(exit, messages.join("; ")).failure()
}

/// An error of the connection, or of its making.
pub(super) fn of_error(error: &LdapError, domain: &Domain, server: &str) -> Trouble {
    if let LdapError::Io { source } = error
        && let Some(rustls::Error::InvalidCertificate(why)) =
            source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    {
        return of_certificate(why, domain, server);
    }
    match error {
        LdapError::FilterParsing => Trouble::final_one(
            Exit::Config,
            "a filter of the configuration is no LDAP filter, such as (objectClass=person)".to_owned(),
        ),
        LdapError::LdapResult { result } => of_result(result, server, "StartTLS"),
        LdapError::Timeout { .. } => Trouble::of_server(
            Exit::DirectoryAway,
            format!("{server} does not answer within {} s", domain.timeout_seconds),
        ),
        LdapError::DNSName { .. } => {
            Trouble::of_server(Exit::DirectoryCertificate, format!("{server} has a name that no certificate can have"))
        }
        LdapError::EndOfStream | LdapError::ResultRecv { .. } | LdapError::OpSend { .. } => {
            Trouble::of_server(Exit::DirectoryAway, format!("{server} broke the connection off"))
        }
        error => Trouble::of_server(Exit::DirectoryAway, format!("{server}: {error}")),
    }
}

fn of_certificate(why: &CertificateError, domain: &Domain, server: &str) -> Trouble {
    let now = Clock::System.now().format("%Y-%m-%d %H:%M UTC");
    let (exit, message) = match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            Exit::DirectoryCertificate,
            format!("the certificate of {server} has expired: have it renewed. The clock of this machine says {now}"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (Exit::Clock, format!("the certificate of {server} is not valid yet. The clock of this machine says {now}"))
        }
        CertificateError::NotValidForNameContext { presented, .. } => (
            Exit::DirectoryCertificate,
            format!("the certificate of {server} is for another name; it has {}", presented.join(", ")),
        ),
        CertificateError::NotValidForName => {
            (Exit::DirectoryCertificate, format!("the certificate of {server} is for another name"))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let among = domain.ca_file.as_ref().map_or_else(
                || "the authorities of this machine; ca_file names others".to_owned(),
                |file| format!("those in {}", file.display()),
            );
            (Exit::DirectoryCertificate, format!("the certificate of {server} is signed by none of {among}"))
        }
        other => (Exit::DirectoryCertificate, format!("the certificate of {server} cannot be taken: {other}")),
    };
    Trouble::of_server(exit, message)
}

/// A result that is not success.
pub(super) fn of_result(result: &LdapResult, server: &str, about: &str) -> Trouble {
    let text = result.text.trim().trim_end_matches(['\0', '.']);
    let told = if text.is_empty() { String::new() } else { format!(" ({text})") };
    let (rc, exit, why) = match result.rc {
        3 => (3, Exit::DirectoryIncomplete, "the server's time limit ended the search"),
        4 => (
            4,
            Exit::DirectoryIncomplete,
            "the server's size limit ended the search; in OpenLDAP `limits dn.exact=… size=unlimited` lifts it",
        ),
        11 => (11, Exit::DirectoryIncomplete, "an administrative limit of the server ended the search"),
        10 => (10, Exit::DirectoryIncomplete, "the server refers to another one, which is not asked"),
        8 | 13 => (
            result.rc,
            Exit::DirectoryCertificate,
            "the server wants an encrypted connection; use ldaps://, or ldap:// without plain",
        ),
        32 => (32, Exit::DirectoryBase, "there is no such entry"),
        34 => (34, Exit::DirectoryBase, "it is no distinguished name"),
        50 => (50, Exit::DirectoryBase, "the account may not read it"),
        48 | 49 => return of_login(result, server),
        51 | 52 | 80 => {
            return Trouble::of_server(
                Exit::DirectoryAway,
                format!("{server} has no time or fails{told}, result {}", result.rc),
            );
        }
        rc => return Trouble::final_one(Exit::Directory, format!("{server}: {about} ends with result {rc}{told}")),
    };
    Trouble::final_one(exit, format!("{server}: {about}: {why}{told}, result {rc}"))
}

/// Active Directory tells the reason of a refused sign-in as `data` and a number.
fn of_login(result: &LdapResult, server: &str) -> Trouble {
    let data = result.text.split("data ").nth(1).and_then(|rest| rest.split([',', ' ']).next()).unwrap_or_default();
    let (exit, why) = match data {
        "52e" => (Exit::DirectoryLogin, "the password of the account is wrong"),
        "525" => (Exit::DirectoryLogin, "there is no such account"),
        "530" => (Exit::DirectoryLogin, "the account may not sign in at this time"),
        "531" => (Exit::DirectoryLogin, "the account may not sign in from this machine"),
        "532" => (Exit::DirectoryPassword, "the password of the account has expired"),
        "533" => (Exit::DirectoryLogin, "the account is disabled"),
        "701" => (Exit::DirectoryLogin, "the account has expired"),
        "773" => (Exit::DirectoryPassword, "the password of the account must be changed before it is used"),
        "775" => (Exit::DirectoryLogin, "the account is locked after wrong passwords"),
        _ => (Exit::DirectoryLogin, "the account or its password is wrong"),
    };
    let data = if data.is_empty() { String::new() } else { format!(", data {data}") };
    Trouble::final_one(exit, format!("{server}: {why} (result {}{data})", result.rc))
}

/// The error of a response control of ppolicy (draft-behera-ldap-password-policy), which tells more than result 49 or 0 does.
pub(super) fn of_policy(error: i64, server: &str) -> Option<Trouble> {
    let (exit, why) = match error {
        0 => (Exit::DirectoryPassword, "the password of the account has expired"),
        1 => (Exit::DirectoryLogin, "the account is locked"),
        2 => (Exit::DirectoryPassword, "the password of the account must be changed before it is used"),
        _ => return None,
    };
    Some(Trouble::final_one(exit, format!("{server}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(rc: u32, text: &str) -> LdapResult {
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls: Vec::new() }
    }

    #[test]
    fn dx12_results_have_their_exit_codes_and_say_what_to_mend() {
        let windows = |data: &str| {
            format!("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v1db1\0")
        };
        for (rc, text, exit, says) in [
            (49, windows("52e"), Exit::DirectoryLogin, "the password of the account is wrong"),
            (49, windows("532"), Exit::DirectoryPassword, "has expired"),
            (49, windows("773"), Exit::DirectoryPassword, "must be changed"),
            (49, windows("775"), Exit::DirectoryLogin, "locked"),
            (49, String::new(), Exit::DirectoryLogin, "the account or its password is wrong"),
            (4, String::new(), Exit::DirectoryIncomplete, "size limit"),
            (3, String::new(), Exit::DirectoryIncomplete, "time limit"),
            (10, String::new(), Exit::DirectoryIncomplete, "refers to another one"),
            (32, String::new(), Exit::DirectoryBase, "no such entry"),
            (8, "BindSimple: Transport encryption required.".to_owned(), Exit::DirectoryCertificate, "ldaps://"),
            (51, "busy".to_owned(), Exit::DirectoryAway, "no time"),
            (53, "refused".to_owned(), Exit::Directory, "result 53 (refused)"),
        ] {
            let trouble = of_result(&result(rc, &text), "ldaps://dc1", "the search");
            assert!(trouble.exit == exit && trouble.message.contains(says), "{rc}: {trouble:?}");
            assert_eq!(trouble.elsewhere, rc == 51, "{rc}");
        }
    }
}
