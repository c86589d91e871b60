//! The endpoint table: each service lists its endpoints once, and the router, the test that walks every route and
//! `rollcall routes` are built from that list.

use crate::refusal::Refusal;
use actix_web::http::Method;
use actix_web::{Error, HttpRequest, HttpResponse, Resource, ResponseError, Route, guard, web};
use rollcall_core::permission::Permission;
use rollcall_core::roster::Role;
use std::rc::Rc;

/// One method on one path.
pub struct Endpoint {
    /// The service that serves it, as metrics and spans name it.
    pub service: &'static str,
    pub method: Method,
    pub path: &'static str,
    /// The demand on an API key or a session; `None` where other credentials count, or none.
    pub demand: Option<Demand>,
    /// An operator's key counts, and nothing else.
    pub by_operator: bool,
    answers_head: bool,
    handler: fn(Route) -> Route,
}

impl Endpoint {
    pub fn new(service: &'static str, method: Method, path: &'static str, handler: fn(Route) -> Route) -> Self {
        Self { service, method, path, demand: None, by_operator: false, answers_head: false, handler }
    }

    /// An endpoint for API keys and sessions of at least this role that may do this.
    #[must_use]
    pub fn by(self, least_role: Role, permission: Permission) -> Self {
        Self { demand: Some(Demand { least_role, permission, fresh: false, previews: false }), ..self }
    }

    /// An endpoint for operators' keys alone.
    #[must_use]
    pub fn operator(self) -> Self {
        Self { by_operator: true, ..self }
    }

    /// An endpoint that a session may use only shortly after the sign-in.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self { demand: self.demand.map(|demand| Demand { fresh: true, ..demand }), ..self }
    }

    /// A POST that may run any number of times, because it changes nothing or only begins a trial.
    #[must_use]
    pub fn preview(self) -> Self {
        Self { demand: self.demand.map(|demand| Demand { previews: true, ..demand }), ..self }
    }

    /// An endpoint that answers GET answers HEAD too, without the body (RFC 9110 §9.3.2).
    #[must_use]
    pub fn with_head(self) -> Self {
        Self { answers_head: self.method == Method::GET, ..self }
    }

    fn route(&self) -> Route {
        let route = if self.answers_head {
            web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
        } else {
            web::method(self.method.clone())
        };
        (self.handler)(route)
    }
}

/// A list of endpoints: `endpoints!["admin"; GET "/api/v1/members" by Member may Read => members::list]`, methods of one path next
/// to each other. Role and permission are left out where neither keys nor sessions count; `fresh` after them asks for a sign-in of
/// the last minutes, and `preview` says that a POST may run any number of times. `for operator` is in their place where only an operator's key counts.
#[macro_export]
macro_rules! endpoints {
    ($service:literal; $($method:ident $path:literal $(by $role:ident may $permission:ident $($mark:ident)*)? $(for $operator:ident)? => $handler:path),+ $(,)?) => {
        vec![$(
            $crate::Endpoint::new($service, ::actix_web::http::Method::$method, $path, |route| route.to($handler))
                $(.by($crate::Role::$role, $crate::Permission::$permission) $(.$mark())*)?
                $(.$operator())?
        ),+]
    };
}

/// The demand of an endpoint on its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    pub least_role: Role,
    pub permission: Permission,
    /// A session signed in within the last minutes (step-up); a key never waits at a screen that somebody left.
    pub fresh: bool,
    /// It may run any number of times though its method is POST.
    pub previews: bool,
}

/// The demand of each method of one path, as data of its resource: authentication reads it, so that no handler can ask for less than
/// the table says.
#[derive(Clone, Debug)]
pub struct Demands(Vec<(Method, Option<Demand>)>);

impl Demands {
    fn of(endpoints: &[Endpoint]) -> Self {
        Self(endpoints.iter().map(|endpoint| (endpoint.method.clone(), endpoint.demand)).collect())
    }

    /// The demand of a method; none for one that the table leaves open, which no caller meets.
    pub fn of_method(&self, method: &Method) -> Option<Demand> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().find(|(listed, _)| listed == method).and_then(|(_, demand)| *demand)
    }
}

/// The service and the pattern of a route, as data of its resource, under which requests are measured and traced. Searching
/// the router for the pattern would take as long as routing the request.
#[derive(Clone, Copy, Debug)]
pub struct RouteLabel {
    pub service: &'static str,
    pub pattern: &'static str,
}

impl RouteLabel {
    /// The label of requests to a service that match none of its endpoints.
    pub fn unknown(service: &'static str) -> Self {
        Self { service, pattern: "unknown" }
    }
}

/// The answer to a refusal in the format of a resource's service, as data of the resource.
#[derive(Clone)]
pub(crate) struct Refused(Rc<dyn Fn(Refusal) -> HttpResponse>);

impl Refused {
    /// The answer to a request that is refused outside of its handler.
    pub(crate) fn answer(request: &HttpRequest, refusal: Refusal) -> HttpResponse {
        match request.app_data::<Self>() {
            Some(Self(answer)) => answer(refusal),
            None => refusal.error_response(),
        }
    }
}

/// The endpoints by path.
pub fn same_paths(endpoints: &[Endpoint]) -> impl Iterator<Item = &[Endpoint]> {
    endpoints.chunk_by(|one, other| one.path == other.path)
}

/// All methods of one path, which `path` gives in the router's syntax. Another method gets a 405 with their names.
///
/// # Panics
/// Without an endpoint, which [`same_paths`] never yields.
pub fn resource<E: Into<Error> + 'static>(path: &str, endpoints: &[Endpoint], refuse: fn(Refusal) -> E) -> Resource {
    let mut allowed: Vec<&str> = endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
    if endpoints.iter().any(|endpoint| endpoint.answers_head) {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let label = RouteLabel { service: endpoints[0].service, pattern: endpoints[0].path };
    let refused = Refused(Rc::new(move |refusal| refuse(refusal).into().error_response()));
    let routes = endpoints.iter().fold(web::resource(path), |resource, endpoint| resource.route(endpoint.route()));
    routes.app_data(label).app_data(refused).app_data(Demands::of(endpoints)).default_service(web::to(move || {
        let refusal = refuse(Refusal::MethodNotAllowed { allowed: allowed.clone() });
        async move { Err::<String, E>(refusal) }
    }))
}
