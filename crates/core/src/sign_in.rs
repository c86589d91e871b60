//! Sign-in by an identity provider: whom the hub recognises in a person whom the provider has signed in.
//!
//! A person is (issuer, subject). The first sign-in ties the person to the member with the same address, if the provider vouches for
//! the address and its domain is proven to be the organisation's. From then on the subject alone counts, so that an address that
//! changes or moves to another person signs nobody in as somebody else.

use crate::email::fold;
use crate::ids::MemberId;
use crate::text_enum::text_enum;

text_enum! {
    /// The use of a connection to an identity provider.
    ConnectionUse {
        Off = "off",
        /// People may sign in by it.
        Offered = "offered",
        /// People sign in by it alone; an owner's recovery codes and the operator's links work still.
        Required = "required",
    }
}

/// A person as the provider asserts.
#[derive(Clone, Copy, Debug)]
pub struct Asserted<'a> {
    pub email: Option<&'a str>,
    /// `None` where the provider does not say.
    pub email_verified: Option<bool>,
    /// The Google Workspace domain of the account (`hd`).
    pub hosted_domain: Option<&'a str>,
}

/// A member whom the address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedMember {
    pub id: MemberId,
    /// Somebody else of this provider is this member already.
    pub tied: bool,
}

/// The person is this member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Tied by an earlier sign-in.
    Tied(MemberId),
    /// To be tied now.
    New(MemberId),
}

impl Recognised {
    pub fn member(self) -> MemberId {
        let (Self::Tied(member) | Self::New(member)) = self;
        member
    }
}

/// Why the hub recognises nobody, for the person, who may tell an owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unrecognised {
    #[error(
        "the identity provider gives no email address: allow the scope `email` for this application, or add the claim `email`"
    )]
    NoEmail,
    #[error(
        "the identity provider does not say that {0} is verified: have it send `email_verified`, or, if it gives addresses of its own \
         only, set `email_trusted` on the connection"
    )]
    EmailNotVerified(String),
    #[error("the identity provider says that {0} is not verified: verify the address there")]
    EmailUnverified(String),
    #[error(
        "Google says that {0} was verified once, and not that it is an account of your Google Workspace: sign in with the Workspace \
         account, and make the application an internal one"
    )]
    NotHosted(String),
    #[error(
        "the domain of {0} is not proven to be this organisation's: add it at /api/v1/domains and set its DNS record"
    )]
    DomainNotVerified(String),
    #[error("no member has the address {0}: have the person added as a member first")]
    NoMember(String),
    #[error(
        "the member with the address {0} was removed, and a sign-in brings nobody back: have the directory, or an admin, let the person in"
    )]
    WasRemoved(String),
    #[error("{0} is no address to which mail could be sent: correct it at the identity provider")]
    NoAddress(String),
    #[error("no seat is free for {0}: ask an owner for more seats, or have somebody who left taken out")]
    NoSeat(String),
    #[error(
        "the member with the address {0} is tied to another person of this identity provider: if that person is gone, an owner \
         releases the member (DELETE /api/v1/members/{{id}}/identities)"
    )]
    TiedToAnother(String),
}

/// The domain of an address, folded.
pub fn domain_of(email: &str) -> Option<String> {
    let folded = fold(email);
    folded.rsplit_once('@').map(|(_, domain)| domain.to_owned()).filter(|domain| !domain.is_empty())
}

/// The provider that also has accounts of other organisations' addresses, which it verified once: only those of a Workspace (`hd`)
/// are given and taken away by the organisation.
const GOOGLE: &str = "https://accounts.google.com";

impl Asserted<'_> {
    fn is_hosted_elsewhere(&self, issuer: &str, email: &str) -> bool {
        let hosted = self.hosted_domain.map(fold);
        issuer == GOOGLE && (hosted.is_none() || hosted != domain_of(email))
    }
}

/// Recognises a person: `tied` is the member of the subject, `named` the member of the asserted address.
///
/// # Errors
/// See [`Unrecognised`].
pub fn recognise(
    issuer: &str,
    asserted: Asserted<'_>,
    email_trusted: bool,
    domain_is_proven: bool,
    tied: Option<MemberId>,
    named: Option<NamedMember>,
) -> Result<Recognised, Unrecognised> {
    if let Some(member) = tied {
        return Ok(Recognised::Tied(member));
    }
    let email = asserted.email.ok_or(Unrecognised::NoEmail)?;
    match asserted.email_verified {
        Some(true) => {}
        Some(false) => return Err(Unrecognised::EmailUnverified(email.into())),
        None if email_trusted => {}
        None => return Err(Unrecognised::EmailNotVerified(email.into())),
    }
    if asserted.is_hosted_elsewhere(issuer, email) {
        return Err(Unrecognised::NotHosted(email.into()));
    }
    if !domain_is_proven {
        return Err(Unrecognised::DomainNotVerified(email.into()));
    }
    match named {
        None => Err(Unrecognised::NoMember(email.into())),
        Some(NamedMember { tied: true, .. }) => Err(Unrecognised::TiedToAnother(email.into())),
        Some(NamedMember { id, tied: false }) => Ok(Recognised::New(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ANN: MemberId = MemberId(Uuid::from_u128(1));
    const BOB: MemberId = MemberId(Uuid::from_u128(2));

    const IDP: &str = "https://idp.example";

    fn asserted(email_verified: Option<bool>) -> Asserted<'static> {
        Asserted { email: Some("ann@acme.example"), email_verified, hosted_domain: None }
    }

    fn named(id: MemberId) -> Option<NamedMember> {
        Some(NamedMember { id, tied: false })
    }

    /// Every combination: nobody is tied unless the address is vouched for, its domain proven, and the member free.
    #[test]
    fn a_first_sign_in_needs_a_vouched_address_of_a_proven_domain_and_a_free_member() {
        for verified in [None, Some(false), Some(true)] {
            for trusted in [false, true] {
                for proven in [false, true] {
                    for member in [None, Some(NamedMember { id: ANN, tied: true }), named(ANN)] {
                        let result = recognise(IDP, asserted(verified), trusted, proven, None, member);
                        let vouched = verified == Some(true) || (verified.is_none() && trusted);
                        let free = member.is_some_and(|member| !member.tied);
                        assert_eq!(
                            result.is_ok(),
                            vouched && proven && free,
                            "{verified:?} {trusted} {proven} {member:?}"
                        );
                        if let Ok(recognised) = result {
                            assert_eq!(recognised, Recognised::New(ANN));
                        }
                    }
                }
            }
        }
    }

    /// Anybody could make a Google account with the work address that they had, and keeps it when they leave.
    #[test]
    fn google_vouches_for_its_workspaces_alone() {
        for (hosted_domain, well) in [(None, false), (Some("evil.example"), false), (Some("ACME.example"), true)] {
            let person = Asserted { hosted_domain, ..asserted(Some(true)) };
            assert_eq!(recognise(GOOGLE, person, true, true, None, named(ANN)).is_ok(), well, "{hosted_domain:?}");
            assert_eq!(recognise(GOOGLE, person, true, true, Some(ANN), None), Ok(Recognised::Tied(ANN)));
        }
    }

    #[test]
    fn once_tied_the_subject_alone_counts() {
        let moved = Asserted { email: Some("bob@acme.example"), email_verified: Some(true), hosted_domain: None };
        assert_eq!(recognise(IDP, moved, true, true, Some(ANN), named(BOB)), Ok(Recognised::Tied(ANN)));
        let none = Asserted { email: None, email_verified: None, hosted_domain: None };
        assert_eq!(recognise(IDP, none, false, false, Some(ANN), None), Ok(Recognised::Tied(ANN)));
        assert_eq!(recognise(IDP, none, true, true, None, None), Err(Unrecognised::NoEmail));
    }

    #[test]
    fn a_domain_is_read_after_the_last_at_sign() {
        assert_eq!(domain_of("Ann@ACME.example").as_deref(), Some("acme.example"));
        assert_eq!(domain_of("\"a@b\"@acme.example").as_deref(), Some("acme.example"));
        assert_eq!(domain_of("ann"), None);
        assert_eq!(domain_of("ann@"), None);
    }
}
