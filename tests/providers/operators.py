"""The people of a hosted service sign in by the one provider that its settings name."""

import time

from browser import Browser
from providers import SECRET, OidcProvider

# The hub names itself by this address, since its port is not known before it starts.
PUBLIC = "http://hub.rollcall.test"
CALLBACK = f"{PUBLIC}/sign-in/operator/callback"
ENDED_WITHIN = 1.0
ANN, BEA = "ann@host.example", "bea@host.example"


def settings(issuer):
    return {"ROLLCALL_HTTP_PUBLIC_URL": PUBLIC, "ROLLCALL_OPERATORS_ISSUER": issuer, "ROLLCALL_OPERATORS_CLIENT_ID": "rollcall",
            "ROLLCALL_OPERATORS_CLIENT_SECRET": SECRET, "ROLLCALL_OPERATORS_EMAILS": f"{ANN}, {BEA}",
            "ROLLCALL_OPERATORS_CLAIM": "groups", "ROLLCALL_OPERATORS_CLAIM_VALUE": "operators"}


def provider(home):
    return OidcProvider(home, CALLBACK, f"{PUBLIC}/nowhere", f"{PUBLIC}/sign-in")


class Walk:
    def __init__(self, hub, served):
        self.hub, self.provider, self.problems, self.steps = hub, served, [], 0

    def url(self, path):
        return f"{self.hub.address}{path}"

    def check(self, what, well, seen=""):
        self.steps += 1
        if not well:
            self.problems.append(f"{what}: {seen!r}")

    def come_back(self, browser, name):
        address, fields = browser.get(self.url("/sign-in/operator")).form()
        page = browser.post(address, fields)
        assert page.onward, page
        return self.provider.sign_in(browser, page.onward, name, CALLBACK).replace(PUBLIC, self.hub.address)

    def sign_in(self, name):
        browser = Browser()
        return browser, browser.get(self.come_back(browser, name))

    def rest(self, browser, method, path, body=None, tenant=None):
        return browser.rest(method, self.url(path), body, {"Rollcall-Tenant": tenant} if tenant else {})

    def signed_in(self, browser):
        answer = self.rest(browser, "GET", "/api/v1/operator-session")
        return answer.json["email"] if answer.status == 200 else answer.status


def run(hub, served):
    """The walk; returns the problems, and what was done."""
    walk, begun = Walk(hub, served), time.monotonic()
    try:
        whole(walk)
    except (AssertionError, KeyError, IndexError, TypeError) as failed:
        walk.problems.append(f"the walk ended: {type(failed).__name__}: {failed}")
    return walk.problems, f"{walk.steps} checks in {time.monotonic() - begun:.1f} s"


def whole(walk):
    people = {
        "ann": {"email": ANN, "email_verified": True, "name": "Ann <Operator>"},
        "ann2": {"email": ANN, "email_verified": True},
        "bea": {"email": BEA, "email_verified": False},
        "cem": {"email": "cem@elsewhere.example", "email_verified": True, "groups": ["staff", "operators"]},
        "eve": {"email": "eve@host.example", "email_verified": True, "groups": ["staff"]},
    }
    walk.provider.people(people)
    ann, page = walk.sign_in("ann")
    walk.check("an operator signs in", walk.signed_in(ann) == ANN, page)
    page = ann.get(walk.url("/sign-in/operator"))
    walk.check("the page says so, escaped", page.heading == "You are signed in" and "Ann &lt;Operator&gt;" in page.text, page)
    for name, words in (("ann2", "tied to another account"), ("bea", "not among the operators"), ("eve", "not among the operators")):
        browser, page = walk.sign_in(name)
        walk.check(f"{name} is refused", page.status == 403 and words in page.text and walk.signed_in(browser) == 401, page)
    cem, page = walk.sign_in("cem")
    walk.check("a claim makes an operator", walk.signed_in(cem) == "cem@elsewhere.example", page)
    elsewhere = Browser()
    page = elsewhere.get(walk.come_back(Browser(), "ann"))
    walk.check("a sign-in ends in the browser that began it", page.status == 400 and walk.signed_in(elsewhere) == 401, page)
    in_tenants(walk, ann)
    ends(walk, ann, cem, people)


def in_tenants(walk, ann):
    made = walk.rest(ann, "POST", "/api/v1/tenants", {"name": "Hooli", "seats": 5})
    walk.check("an operator makes a tenant", made.status == 201, made)
    slug = made.json["slug"]
    source = walk.rest(ann, "POST", "/api/v1/sources", {"name": "okta"}, slug)
    walk.check("and works in it, freshly signed in", source.status == 201, source)
    events = walk.rest(ann, "GET", "/api/v1/audit-events", None, slug).json["items"]
    named = {(event["kind"], event["actor_name"]) for event in events}
    walk.check("its log names the person", {("tenant.created", "Ann <Operator>"), ("source.created", "Ann <Operator>")} <= named, named)
    unnamed = walk.rest(ann, "GET", "/api/v1/members")
    walk.check("without a tenant nothing of one is read", unnamed.status == 401, unnamed)
    body = '{"name": "Evil", "seats": 1}'
    foreign = ann.ask("POST", walk.url("/api/v1/tenants"), body, {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"})
    walk.check("another site makes no tenant", foreign.status == 403, foreign)
    key = walk.hub.make("api-key", "create", "--tenant", slug, "--role", "owner")["key"]
    theirs = Browser().ask("GET", walk.url("/api/v1/operators"), None, {"Authorization": f"Bearer {key}"})
    walk.check("a tenant's key sees no operators", theirs.status == 401, theirs)


def ends(walk, ann, cem, people):
    listed = walk.rest(ann, "GET", "/api/v1/operators").json["items"]
    walk.check("operators see each other", [one["email"] for one in listed] == [ANN, "cem@elsewhere.example"], listed)
    gone = walk.rest(ann, "DELETE", f"/api/v1/operators/{listed[1]['id']}")
    walk.check("one revokes another", gone.status == 204, gone)
    walk.check("who is signed out at once", walk.signed_in(cem) == 401)
    _, page = walk.sign_in("cem")
    walk.check("and does not come back", page.status == 403 and "revoked" in page.text, page)
    walk.hub.make("operator", "restore", "--operator-id", listed[1]["id"])
    cem, page = walk.sign_in("cem")
    walk.check("until the command line restores the access", walk.signed_in(cem) == "cem@elsewhere.example", page)
    walk.provider.people({**people, "cem": {**people["cem"], "groups": []}})
    _, page = walk.sign_in("cem")
    walk.check("without the claim the next sign-in is refused", page.status == 403, page)
    page = ann.post(walk.url("/sign-out/operator"), {})
    walk.check("an operator signs out", page.status == 303 and walk.signed_in(ann) == 401, page)
