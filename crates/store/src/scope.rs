//! Scope is proof: a tenant's data is reached only with a value of this module, which is made only from a verified
//! credential, a worker's lease or the operator's command line (docs/design.md#scope).

use rollcall_core::directory::SourceSettings;
use rollcall_core::event::Actor;
use rollcall_core::ids::{
    AgentKeyId, CredentialId, MemberId, OauthClientId, OperatorId, OperatorKeyId, RequestId, SharingGroupId,
    SignInConnectionId, SourceId, TenantId, WebhookId,
};
use rollcall_core::permission::Permissions;
use rollcall_core::roster::Role;
use uuid::Uuid;

/// Permission to work with one tenant's rows.
#[derive(Clone, Copy, Debug)]
pub struct TenantScope {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) request: Option<RequestId>,
    /// A write is refused unless this is as it was read.
    pub(crate) expected: Option<Expected>,
}

/// A thing that has versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioned {
    Member(MemberId),
    Group(SharingGroupId),
    Source(SourceId),
    Connection(SignInConnectionId),
    Webhook(WebhookId),
    Policy,
}

/// A version of a thing, in the first bytes of a digest of what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(pub [u8; 16]);

/// A thing in the version that the caller read (`If-Match`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub thing: Versioned,
    pub version: Version,
}

impl TenantScope {
    pub(crate) fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor, request: None, expected: None }
    }

    /// The same permission, as part of one request.
    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { request: Some(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// Permission to write one source's records.
#[derive(Clone, Copy, Debug)]
pub struct SourceScope {
    pub(crate) scope: TenantScope,
    source: SourceId,
    settings: SourceSettings,
}

impl SourceScope {
    pub(crate) fn new(scope: TenantScope, source: SourceId, settings: SourceSettings) -> Self {
        Self { scope, source, settings }
    }

    /// A repetition of a source's request by an admin, whom the audit log names.
    pub(crate) fn on_behalf(admin: &AdminScope, source: SourceId, settings: SourceSettings) -> Self {
        Self { scope: admin.scope, source, settings }
    }

    /// True if the source has no groups (DS3).
    pub fn users_only(&self) -> bool {
        self.settings.users_only
    }

    /// True if discovery shows nothing beyond RFC 7643.
    pub fn plain_discovery(&self) -> bool {
        self.settings.plain_discovery
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    pub fn source(&self) -> SourceId {
        self.source
    }
}

/// Permission to upload for one source, for the holder of an agent's key who signed the request.
#[derive(Clone, Copy, Debug)]
pub struct AgentScope {
    source: SourceScope,
    key: AgentKeyId,
    verified: bool,
}

impl AgentScope {
    pub(crate) fn new(source: SourceScope, key: AgentKeyId, verified: bool) -> Self {
        Self { source, key, verified }
    }

    /// The source that the agent feeds.
    pub fn of_source(&self) -> &SourceScope {
        &self.source
    }

    pub fn key(&self) -> AgentKeyId {
        self.key
    }

    /// An admin has compared the fingerprint of the key (DA4).
    pub fn is_verified(&self) -> bool {
        self.verified
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { source: self.source.for_request(request), ..self }
    }

    pub(crate) fn scope(&self) -> &TenantScope {
        &self.source.scope
    }
}

/// Permission to enrol one key for one source, for the holder of a token that serves once.
#[derive(Clone, Copy, Debug)]
pub struct EnrolmentScope {
    pub(crate) scope: TenantScope,
    pub(crate) source: SourceId,
    pub(crate) token: CredentialId,
}

impl EnrolmentScope {
    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }
}

/// Permission to administer one tenant, for an API key, a member who signed in, or the operator, which [`Actor`] names.
#[derive(Clone, Copy, Debug)]
pub struct AdminScope {
    pub(crate) scope: TenantScope,
    role: Role,
    permissions: Permissions,
}

impl AdminScope {
    /// The same permission, for writes to a thing that is as the caller read it.
    #[must_use]
    pub fn expecting(self, expected: Expected) -> Self {
        Self { scope: TenantScope { expected: Some(expected), ..self.scope }, ..self }
    }

    pub(crate) fn new(scope: TenantScope, role: Role, permissions: Permissions) -> Self {
        Self { scope, role, permissions: permissions.and(Permissions::of_role(role)) }
    }

    /// The operator at the command line, with the permissions of an owner.
    pub(crate) fn of_operator(tenant: TenantId) -> Self {
        Self::new(TenantScope::new(tenant, Actor::Operator), Role::Owner, Permissions::all())
    }

    /// An operator's key, or an operator who signed in, at work in one tenant.
    pub(crate) fn of_operator_caller(tenant: TenantId, operator: &OperatorScope) -> Self {
        Self::new(TenantScope::new(tenant, operator.actor()), Role::Owner, Permissions::all())
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// The member who signed in; none for a key or the operator.
    pub fn member(&self) -> Option<MemberId> {
        match self.scope.actor {
            Actor::Member(member) => Some(member),
            _ => None,
        }
    }
}

/// Permission to administer all tenants, for the holder of an operator's key, or for an operator who signed in.
#[derive(Clone, Copy, Debug)]
pub enum OperatorScope {
    Key(OperatorKeyId),
    Person(OperatorId),
}

impl OperatorScope {
    /// The id of the key or of the person.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Key(key) => key.0,
            Self::Person(operator) => operator.0,
        }
    }

    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Key(key) => Actor::OperatorKey(*key),
            Self::Person(operator) => Actor::OperatorPerson(*operator),
        }
    }
}

/// Permission to get tokens for one source, for a client whose secret was presented.
#[derive(Clone, Copy, Debug)]
pub struct OauthClient {
    pub(crate) scope: TenantScope,
    /// The secret.
    pub secret: CredentialId,
    pub client: OauthClientId,
    pub source: SourceId,
}

impl OauthClient {
    pub(crate) fn new(tenant: TenantId, secret: CredentialId, client: OauthClientId, source: SourceId) -> Self {
        Self { scope: TenantScope::new(tenant, Actor::Source(source)), secret, client, source }
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant()
    }
}
