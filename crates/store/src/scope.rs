//! Scope is proof: no tenant's data is reached without a value of this module, and such a value is made only from a
//! verified credential, a worker's lease or the operator's command line (docs/design.md#scope).

use rollcall_core::event::Actor;
use rollcall_core::ids::{CredentialId, RequestId, SourceId, TenantId};
use rollcall_core::roster::Role;

/// Leave to work with one tenant's rows.
#[derive(Clone, Copy, Debug)]
pub struct TenantScope {
    pub(crate) tenant: TenantId,
    pub(crate) actor: Actor,
    pub(crate) request: Option<RequestId>,
}

impl TenantScope {
    pub(crate) fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor, request: None }
    }

    /// The same leave, as part of one request.
    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { request: Some(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }
}

/// Leave to write what one source says.
#[derive(Clone, Copy, Debug)]
pub struct SourceScope {
    pub(crate) scope: TenantScope,
    source: SourceId,
    credential: CredentialId,
    users_only: bool,
}

impl SourceScope {
    pub(crate) fn new(tenant: TenantId, source: SourceId, credential: CredentialId, users_only: bool) -> Self {
        Self { scope: TenantScope::new(tenant, Actor::Source(source)), source, credential, users_only }
    }

    /// An admin who repeats what a source said: the audit log names the admin.
    pub(crate) fn on_behalf(api: &ApiScope, source: SourceId, users_only: bool) -> Self {
        Self { scope: api.scope, source, credential: api.credential, users_only }
    }

    /// Whether the source has no groups (DS3).
    pub fn users_only(&self) -> bool {
        self.users_only
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

    pub fn credential(&self) -> CredentialId {
        self.credential
    }
}

/// Leave to use the admin API of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct ApiScope {
    pub(crate) scope: TenantScope,
    credential: CredentialId,
    role: Role,
}

impl ApiScope {
    pub(crate) fn new(tenant: TenantId, credential: CredentialId, role: Role) -> Self {
        Self { scope: TenantScope::new(tenant, Actor::ApiKey(credential)), credential, role }
    }

    #[must_use]
    pub fn for_request(self, request: RequestId) -> Self {
        Self { scope: self.scope.for_request(request), ..self }
    }

    pub fn tenant(&self) -> TenantId {
        self.scope.tenant
    }

    pub fn credential(&self) -> CredentialId {
        self.credential
    }

    pub fn role(&self) -> Role {
        self.role
    }
}
