"""People sign in by a provider: what an owner sets up, what works, and what must not."""

import concurrent.futures
import json
import time
import urllib.parse

from browser import Browser
from hubs import Failed
from providers import SECRET

SETTLED_WITHIN = 30  # seconds
ENDED_WITHIN = 1.0


class Walk:
    """One tenant that connects one provider. Problems are gathered, so that one of them hides none of the others."""

    def __init__(self, hub, names, number):
        self.hub, self.names, self.problems, self.steps = hub, names, [], 0
        self.domain = f"acme{number}.example"
        self.ann, self.bea = f"ann@{self.domain}", f"bea@{self.domain}"
        made = hub.make("tenant", "create", "--name", f"Provider {number}", "--seats", "50", "--owner", self.ann)
        self.tenant, self.slug = made["tenant_id"], made["slug"]
        self.key = hub.make("api-key", "create", "--tenant", self.slug, "--role", "owner")["key"]
        self.add_admin()

    def url(self, path):
        return f"{self.hub.address}{path}"

    @property
    def callback(self):
        return self.url(f"/sign-in/callback/{self.tenant}")

    def check(self, what, well, seen=""):
        self.steps += 1
        if not well:
            self.problems.append(f"{what}: {seen!r}")

    def by_key(self, method, path, body=None):
        browser = Browser()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return browser.ask(method, self.url(path), None if body is None else json.dumps(body), headers)

    def add_admin(self):
        """Bea comes by SCIM and gets a role."""
        source = self.source = self.hub.make("source", "create", "--tenant", self.slug, "--kind", "scim")
        user = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": self.bea, "active": True,
                "emails": [{"value": self.bea, "primary": True}]}
        headers = {"Authorization": f"Bearer {source['token']}", "Content-Type": "application/scim+json"}
        made = Browser().ask("POST", self.url(f"/scim/v2/{source['source_id']}/Users"), json.dumps(user), headers)
        assert made.status == 201, made
        deadline = time.monotonic() + SETTLED_WITHIN
        while not (found := self.by_key("GET", f"/api/v1/members?email={urllib.parse.quote(self.bea)}").json["items"]):
            if time.monotonic() > deadline:
                raise Failed("the second member did not appear")
            time.sleep(0.1)
        member = found[0]["id"]
        if found[0]["status"] == "invited":
            accepted = self.by_key("POST", f"/api/v1/members/{member}/accept", {})
            assert accepted.status == 200, accepted
        changed = self.by_key("PATCH", f"/api/v1/members/{member}", {"role": "admin"})
        assert changed.status == 200, changed

    def push_group(self, name):
        """A group without people of the source."""
        group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name}
        headers = {"Authorization": f"Bearer {self.source['token']}", "Content-Type": "application/scim+json"}
        return Browser().ask("POST", self.url(f"/scim/v2/{self.source['source_id']}/Groups"), json.dumps(group), headers)

    def by_link(self, email):
        """A browser in which a member signed in by a link of the operator."""
        link = self.hub.make("sign-in-link", "--tenant", self.slug, "--email", email)["url"]
        browser = Browser()
        address, fields = browser.get(self.url(link[link.index("/sign-in?"):])).form()
        done = browser.post(address, fields)
        assert done.status == 303, done
        return browser

    def prove_domain(self, owner):
        added = owner.rest("POST", self.url("/api/v1/domains"), {"domain": self.domain.upper() + "."})
        self.check("a domain is added in one spelling", added.status == 201 and added.json["domain"] == self.domain, added)
        domain, record = added.json["id"], added.json["record"]
        checked = owner.rest("POST", self.url(f"/api/v1/domains/{domain}/check"))
        self.check("without its record it is not proven", checked.status == 200 and checked.json["verified_at"] is None, checked)
        self.names.records[record["name"]] = "another text"
        checked = owner.rest("POST", self.url(f"/api/v1/domains/{domain}/check"))
        self.check("another text proves nothing", checked.status == 200 and checked.json["verified_at"] is None, checked)
        self.check("and is shown", checked.json["found_instead"] == ["another text"], checked)
        self.names.records[record["name"]] = record["value"]
        checked = owner.rest("POST", self.url(f"/api/v1/domains/{domain}/check"))
        self.check("its record proves it", checked.status == 200 and checked.json["verified_at"], checked)
        return record["name"]

    def connect(self, owner, issuer, **more):
        made = owner.rest("POST", self.url("/api/v1/sign-in-connections"),
                          {"issuer": issuer, "client_id": "rollcall", "client_secret": SECRET, **more})
        assert made.status == 201, made
        self.check("the secret is in no answer", SECRET not in made.text, made)
        self.connection = self.url(f"/api/v1/sign-in-connections/{made.json['id']}")

    def use(self, owner, usage):
        return owner.rest("PATCH", self.connection, {"use": usage})

    def try_out(self, owner, provider, name):
        """Tries the connection; returns the page and the trial's report."""
        begun = owner.rest("POST", f"{self.connection}/test")
        assert begun.status == 201, begun
        back = provider.sign_in(owner, begun.json["url"], name, self.callback)
        page = owner.get(back)
        return page, owner.rest("GET", self.connection).json["test"]

    def begin(self, browser, email):
        """Presses the button of the sign-in page; returns the provider's address."""
        address, fields = browser.get(self.url("/sign-in")).form()
        page = browser.post(address, {**fields, "email": email})
        return page.onward, page

    def come_back(self, browser, provider, name, email=None):
        """The address to which the provider sends the browser back."""
        onward, page = self.begin(browser, email or f"{name}@{self.domain}")
        assert onward, page
        return provider.sign_in(browser, onward, name, self.callback)

    def sign_in(self, provider, name, email=None):
        """Signs in in a browser of its own; returns it and the page at the end."""
        browser = Browser()
        return browser, browser.get(self.come_back(browser, provider, name, email))

    def signed_in(self, browser):
        """The address of the member who is signed in, or the status of the refusal."""
        answer = browser.rest("GET", self.url("/api/v1/session"))
        return answer.json["member"]["email"] if answer.status == 200 else answer.status

    def ends(self, what, browser):
        deadline = time.monotonic() + ENDED_WITHIN
        while (seen := self.signed_in(browser)) != 401 and time.monotonic() < deadline:
            time.sleep(0.02)
        self.check(f"{what} ends the session within {ENDED_WITHIN} s", seen == 401, seen)

    def refused(self, what, page, status, words):
        self.check(what, page.status == status and words.lower() in page.text.lower() and "rss_" not in str(page.headers), page)


def run(hub, names, kind, programs):
    """The walk of one provider; returns the problems, and what was done."""
    walk = Walk(hub, names, f"{kind.__name__.lower()}")
    addresses = walk.by_key("GET", "/api/v1/sign-in-connections").json
    begun = time.monotonic()
    with kind(programs, addresses["redirect_uri"], addresses["backchannel_logout_uri"], addresses["post_logout_redirect_uri"]) as provider:
        try:
            (whole_walk if kind.whole else short_walk)(walk, provider)
        except (AssertionError, KeyError, IndexError, TypeError) as failed:
            walk.problems.append(f"the walk ended: {type(failed).__name__}: {failed}")
        if walk.problems and hasattr(provider, "said"):
            walk.problems.append(f"the provider says: {provider.said()[-1500:]}")
    return walk.problems, f"{walk.steps} checks in {time.monotonic() - begun:.1f} s"


def short_walk(walk, provider):
    """What differs between providers: each is connected, tried, signs in and out."""
    provider.people({"ann": {"email": walk.ann, "email_verified": True}})
    owner = walk.by_link(walk.ann)
    walk.prove_domain(owner)
    walk.connect(owner, provider.issuer)
    page, test = walk.try_out(owner, provider, "ann")
    if not provider.vouches:
        walk.check("an address that nobody vouches for signs nobody in", not test["accepted"] and "email_trusted" in test["report"]["why"], test)
        owner.rest("PATCH", walk.connection, {"email_trusted": True})
        page, test = walk.try_out(owner, provider, "ann")
    walk.check("the trial recognises the owner", test["accepted"] and page.heading == "The connection works", page)
    walk.check("it is offered", walk.use(owner, "offered").status == 200)
    browser, page = walk.sign_in(provider, "ann")
    walk.check("the owner signs in", walk.signed_in(browser) == walk.ann, page)
    fresh = browser.rest("POST", walk.url("/api/v1/api-keys"), {"role": "member"})
    told = fresh.status == 201 if provider.tells_time else fresh.status == 403 and "auth_time" in fresh.text
    walk.check("a session is fresh where the provider says when the person proved it", told, fresh)
    if provider.backchannel:
        # A trial in the same browser shows the provider's name for its session.
        claims = walk.try_out(browser, provider, "ann")[1]["report"]["claims"]
        walk.check("the provider names its session", claims.get("sid"), claims)
        provider.sign_out(browser, claims["sid"])
        walk.ends("a logout at the provider", browser)
    if provider.logout:
        browser, _ = walk.sign_in(provider, "ann")
        page = browser.post(walk.url("/sign-out"), {})
        walk.check("signing out leads to the provider", page.onward and page.onward.startswith(provider.issuer), page)
        walk.check("the session has ended", walk.signed_in(browser) == 401)


def whole_walk(walk, provider):
    ann, bea, mallory = walk.ann, walk.bea, f"mallory@{walk.domain}"
    people = {
        "ann": {"email": ann, "email_verified": True, "name": "Ann <Owner>", "groups": ["staff"]},
        "bea": {"email": bea, "email_verified": True},
        "unverified": {"email": bea, "email_verified": False},
        "mallory": {"email": mallory, "email_verified": True},
        "elsewhere": {"email": "ann@elsewhere.example", "email_verified": True},
    }
    provider.people(people)
    owner = walk.by_link(ann)
    set_up(walk, provider, owner)
    at_once(walk, provider)
    switched_off(walk, provider, owner)
    sign_in_and_fail(walk, provider)
    browsers_and_answers(walk, provider)
    people_who_change(walk, provider, people)
    roles_by_claims(walk, provider, owner, people)
    groups_by_claims(walk, provider, owner, people)
    keys_are_rotated(walk, provider)
    log_out(walk, provider)
    require(walk, provider, owner)


def set_up(walk, provider, owner):
    for issuer, words in (("nonsense", "no address"), (f"{provider.issuer}/nowhere", "well-known"), ("http://127.0.0.1:1", "did not answer")):
        made = owner.rest("POST", walk.url("/api/v1/sign-in-connections"), {"issuer": issuer, "client_id": "x"})
        walk.check(f"the issuer {issuer} is refused with a remedy", made.status in (400, 502) and words in made.text, made)
    walk.connect(owner, provider.issuer)
    walk.check("an untried connection is not offered", walk.use(owner, "offered").status == 409)
    page, test = walk.try_out(owner, provider, "ann")
    walk.check("without a proven domain the trial says so", not test["accepted"] and "/api/v1/domains" in test["report"]["why"], test)
    another_organisation(walk, walk.prove_domain(owner))
    page, test = walk.try_out(owner, provider, "ann")
    walk.check("the trial recognises the owner", test["accepted"] and test["report"]["claims"]["email"] == walk.ann, test)
    walk.check("its page shows the claims, escaped", page.heading == "The connection works" and "Ann &lt;Owner&gt;" in page.text, page)
    onward, page = walk.begin(Browser(), walk.ann)
    walk.refused("nobody signs in by a connection that is not offered", page, 400, "open the link")
    walk.check("it is offered", walk.use(owner, "offered").status == 200)
    walk.check("one in use is not deleted", owner.rest("DELETE", walk.connection).status == 409)
    key = walk.by_key("POST", f"{urllib.parse.urlsplit(walk.connection).path}/test")
    walk.check("a key tries nothing", key.status == 400, key)


def another_organisation(walk, record):
    """One domain is one organisation's, also when its administrator sets the record of another."""
    slug = walk.hub.make("tenant", "create", "--name", "Rival", "--seats", "5")["slug"]
    own, walk.key = walk.key, walk.hub.make("api-key", "create", "--tenant", slug, "--role", "owner")["key"]
    added = walk.by_key("POST", "/api/v1/domains", {"domain": walk.domain}).json
    walk.names.records[record], kept = added["record"]["value"], walk.names.records[record]
    checked = walk.by_key("POST", f"/api/v1/domains/{added['id']}/check", {})
    walk.check("a domain of another organisation is refused", checked.status == 409 and "another organisation" in checked.text, checked)
    walk.check("none of its domains is seen there", walk.by_key("GET", "/api/v1/domains").json["items"][0]["verified_at"] is None)
    walk.names.records[record], walk.key = kept, own


def at_once(walk, provider):
    """Two first sign-ins of one person that end at the same moment: both are signed in, and one ties the person."""
    browsers = [Browser() for _ in range(6)]
    backs = [walk.come_back(browser, provider, "ann") for browser in browsers]
    with concurrent.futures.ThreadPoolExecutor(len(browsers)) as pool:
        pages = list(pool.map(lambda pair: pair[0].get(pair[1]), zip(browsers, backs)))
    seen = [walk.signed_in(browser) for browser in browsers]
    walk.check("first sign-ins at once are all signed in", seen == [walk.ann] * len(browsers), (seen, pages))
    tied = [event for event in walk.by_key("GET", "/api/v1/audit-events?kind=identity.tied").json["items"]]
    walk.check("one of them ties the person", len(tied) == 1, tied)


def switched_off(walk, provider, owner):
    browser = Browser()
    back = walk.come_back(browser, provider, "ann")
    before, _ = walk.sign_in(provider, "ann")
    walk.use(owner, "off")
    walk.refused("nobody comes in by a connection that was switched off meanwhile", browser.get(back), 400, "switched off")
    walk.check("a session that it began goes on", walk.signed_in(before) == walk.ann)
    provider.sign_out(before)
    walk.ends("a logout at a provider that is switched off", before)
    both = owner.rest("PATCH", walk.connection, {"use": "offered", "client_secret": "another"})
    walk.check("an untried secret is not used", both.status == 409 and "tried" in both.text, both)
    walk.check("it is offered again", walk.use(owner, "offered").status == 200)


def sign_in_and_fail(walk, provider):
    browser, page = walk.sign_in(provider, "ann")
    walk.check("the owner signs in", page.location in (walk.url("/"), walk.url("/sign-in")) and walk.signed_in(browser) == walk.ann, page)
    session = browser.rest("GET", walk.url("/api/v1/session")).json["session"]
    walk.check("the provider says when the person proved it", session["authenticated_at"], session)
    made = browser.rest("POST", walk.url("/api/v1/api-keys"), {"role": "member"})
    walk.check("so the session is fresh", made.status == 201, made)
    walk.check("a sign-in takes few round trips", browser.requests <= 14, browser.requests)
    walk.check("the page says who is signed in", browser.get(walk.url("/sign-in")).heading == "You are signed in")
    browser, page = walk.sign_in(provider, "bea")
    walk.check("an admin signs in", walk.signed_in(browser) == walk.bea, page)
    for name, words in (("mallory", "no member has the address"), ("elsewhere", "not proven"), ("unverified", "not verified")):
        browser, page = walk.sign_in(provider, name)
        walk.refused(f"{name} does not sign in", page, 403, words)
    nul = Browser().post(walk.url("/sign-in/provider"), {"email": "ann@\0"})
    walk.check("NUL is refused", nul.status == 400, nul)
    for email in ("ann@nowhere.example", "ann", ""):
        _, page = walk.begin(Browser(), email)
        walk.refused(f"there is no provider for {email!r}", page, 400, "open the link")
    known, unknown = (walk.begin(Browser(), email)[1].text for email in (walk.ann, f"nobody@{walk.domain}"))
    hint = urllib.parse.quote(walk.ann), urllib.parse.quote(f"nobody@{walk.domain}")
    varying = ("state", "nonce", "code_challenge")
    strip = lambda text: [part for part in text.replace(*hint).split("&amp;") if not part.startswith(varying)]
    walk.check("an address that exists is answered as one that does not", strip(known) == strip(unknown), (known, unknown))


def browsers_and_answers(walk, provider):
    began, other = Browser(), Browser()
    back = walk.come_back(began, provider, "ann")
    walk.refused("another browser does not end a sign-in", other.get(back), 400, "another browser")
    second = Browser()
    walk.begin(second, walk.bea)
    walk.refused("nor does one that began another", second.get(back), 400, "another browser")
    tenant = walk.hub.make("tenant", "create", "--name", "Other", "--seats", "5")["tenant_id"]
    walk.refused("nor at another organisation", began.get(back.replace(walk.tenant, tenant)), 400, "another browser")
    began = Browser()
    back = walk.come_back(began, provider, "ann")
    kept = dict(began.jar[urllib.parse.urlsplit(walk.hub.address).netloc])
    walk.check("the browser that began it ends it", began.get(back).status == 303)
    walk.refused("a second return ends nothing", began.get(back), 400, "another browser")
    began.jar[urllib.parse.urlsplit(walk.hub.address).netloc] = kept
    walk.refused("nor one with the old cookie: the provider takes a code once", began.get(back), 403, "invalid_grant")
    for change, status, words in (
        (lambda query: {**query, "iss": "http://evil.example"}, 400, "issuer"),
        (lambda query: {name: value for name, value in query.items() if name != "iss"}, 400, "does not name its issuer"),
        (lambda query: {**query, "state": "another"}, 400, "another browser"),
        (lambda query: {**query, "code": "another"}, 403, "invalid_grant"),
        (lambda query: {"state": query["state"], "iss": query["iss"], "error": "access_denied", "error_description": "<b>no</b>"}, 403, "&lt;b&gt;no"),
    ):
        browser = Browser()
        parts = urllib.parse.urlsplit(walk.come_back(browser, provider, "ann"))
        query = change(dict(urllib.parse.parse_qsl(parts.query)))
        page = browser.get(urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query))))
        walk.refused(f"an answer with {sorted(query)} that was changed is refused", page, status, words)


def people_who_change(walk, provider, people):
    moved = {**people, "ann": {**people["ann"], "email": f"ann.lee@{walk.domain}"}, "heir": {"email": walk.ann, "email_verified": True}}
    provider.people(moved)
    browser, page = walk.sign_in(provider, "ann")
    walk.check("a person whose address changed is the same member", walk.signed_in(browser) == walk.ann, page)
    heir, page = walk.sign_in(provider, "heir")
    walk.refused("the heir of the address is not", page, 403, "tied to another person")
    provider.people(people)
    member = walk.by_key("GET", f"/api/v1/members?email={urllib.parse.quote(walk.bea)}").json["items"][0]["id"]
    browser, _ = walk.sign_in(provider, "bea")
    identities = walk.by_key("GET", f"/api/v1/members/{member}/identities").json["items"]
    walk.check("the identity is listed", [one["subject"] for one in identities] == ["bea"], identities)
    walk.check("a member is released", walk.by_key("DELETE", f"/api/v1/members/{member}/identities").status == 204)
    walk.ends("a release", browser)
    provider.people({**people, "bea2": {"email": walk.bea, "email_verified": True}})
    browser, page = walk.sign_in(provider, "bea2")
    walk.check("then the next person with the address is the member", walk.signed_in(browser) == walk.bea, page)
    changed = walk.by_key("PATCH", f"/api/v1/members/{member}", {"role": "member"})
    walk.check("the admin loses the role", changed.status == 200, changed)
    walk.ends("another role", browser)
    browser, page = walk.sign_in(provider, "bea2")
    walk.refused("a plain member does not sign in", page, 403, "may not sign in")
    walk.by_key("PATCH", f"/api/v1/members/{member}", {"role": "admin"})
    provider.people(people)


def roles_by_claims(walk, provider, owner, people):
    """A group of the provider gives a role, makes a member where that is on, and takes both back when it is gone."""
    rules = [{"claim": "groups", "value": "hub-auditors", "role": "auditor"}, {"claim": "groups", "value": "hub-admins", "role": "admin"}]
    change = lambda **changes: owner.rest("PATCH", walk.connection, changes)
    refused = change(role_rules=[{**rules[0], "role": "owner"}])
    walk.check("no rule makes an owner", refused.status == 400 and "billing_contact" in refused.text, refused)
    refused = change(role_rules=[{**rules[0], "claim": "name"}])
    walk.check("a claim that people write themselves gives nothing", refused.status == 400 and "groups" in refused.text, refused)
    walk.check("rules are set", change(role_rules=rules).json["role_rules"] == rules)
    cleo, email = (lambda *groups: {**people, "cleo": {"email": email, "email_verified": True, "groups": list(groups)}}), f"cleo@{walk.domain}"
    provider.people(cleo("hub-auditors"))
    _, page = walk.sign_in(provider, "cleo")
    walk.refused("nobody joins by a rule where that is off", page, 403, "no member has the address")
    walk.check("it is switched on", change(creates_members=True).json["creates_members"])
    first, page = walk.sign_in(provider, "cleo")
    session = first.rest("GET", walk.url("/api/v1/session")).json
    walk.check("then somebody joins, as an auditor", session.get("role") == "auditor" and session["member"]["by_rule"], session)
    provider.people(cleo("hub-admins", "staff"))
    second, _ = walk.sign_in(provider, "cleo")
    walk.check("another group is another role", second.rest("GET", walk.url("/api/v1/session")).json.get("role") == "admin")
    walk.ends("another role by a rule", first)
    provider.people(cleo("staff"))
    _, page = walk.sign_in(provider, "cleo")
    walk.refused("without the group the role is gone", page, 403, "may not sign in")
    walk.ends("a role that a rule takes back", second)
    events = walk.by_key("GET", "/api/v1/audit-events?order=desc&kind=member.updated").json["items"]
    told = [(event["actor"], event["detail"]["after"]["role"]) for event in events if "rules" in event["detail"]]
    walk.check("the audit log tells both", told == [("system", "member"), ("system", "admin")], told)
    provider.people({**people, "ann": {**people["ann"], "groups": ["hub-auditors"]}})
    _, test = walk.try_out(owner, provider, "ann")
    report = test["report"]
    walk.check("a trial shows what the rules give", report["ruled"]["role"] == "auditor" and report["ruled"]["rules"] == rules[:1], report)
    walk.check("and that an owner stays one", report["role"] == "owner", report)
    walk.check("rules are taken away", change(role_rules=[], creates_members=False).json["role_rules"] == [])
    provider.people(people)


def groups_by_claims(walk, provider, owner, people):
    """The groups of a sign-in fill sharing groups of their names, and a source takes such a group over."""
    change = lambda setting: owner.rest("PATCH", walk.connection, {"groups_from_sign_in": setting})
    refused = change({"claim": "groups", "fill": "everything"})
    walk.check("what is filled is a closed list", refused.status == 400 and "own_groups" in refused.text, refused)
    setting = {"claim": "groups", "fill": "own_groups"}
    walk.check("groups of a sign-in are switched on", change(setting).json["groups_from_sign_in"] == setting)
    ann = lambda *groups: provider.people({**people, "ann": {**people["ann"], "groups": list(groups)}})
    sizes = lambda: {group["name"]: group["members_count"] for group in walk.by_key("GET", "/api/v1/groups?order=desc").json["items"]}
    ann("Crew", "Pilots")
    _, test = walk.try_out(owner, provider, "ann")
    walk.check("a trial shows them", test["report"]["groups"] == {"joins": ["Crew", "Pilots"], "leaves": []}, test["report"])
    walk.check("and makes none", sizes() == {}, sizes())
    walk.sign_in(provider, "ann")
    walk.check("a sign-in makes and fills them", sizes() == {"Crew": 1, "Pilots": 1}, sizes())
    made = walk.push_group("CREW")
    deadline = time.monotonic() + SETTLED_WITHIN
    while "CREW" not in sizes() and time.monotonic() < deadline:
        time.sleep(0.1)
    walk.check("a source's group of the same name is the same group", made.status == 201 and set(sizes()) == {"CREW", "Pilots"}, sizes())
    ann("Crew")
    walk.sign_in(provider, "ann")
    walk.check("without the claim the membership is gone", sizes()["Pilots"] == 0, sizes())
    walk.check("groups of a sign-in are switched off", change(None).json["groups_from_sign_in"] is None)
    provider.people(people)


def keys_are_rotated(walk, provider):
    """Core 1.0 §10.1.1: an unknown key may be a new one."""
    before, _ = walk.sign_in(provider, "ann")
    provider.new_keys()
    after, page = walk.sign_in(provider, "ann")
    walk.check("a token by a new key signs in", walk.signed_in(after) == walk.ann, page)
    walk.check("and a session by the former one goes on", walk.signed_in(before) == walk.ann)


def log_out(walk, provider):
    first, _ = walk.sign_in(provider, "ann")
    second, _ = walk.sign_in(provider, "ann")
    provider.sign_out(first)
    walk.ends("a logout at the provider", first)
    walk.check("a session that another browser has there stays", walk.signed_in(second) == walk.ann)
    page = second.post(walk.url("/sign-out"), {})
    walk.check("signing out leads to the provider", page.onward and page.onward.startswith(provider.issuer), page)
    walk.check("the session has ended here", walk.signed_in(second) == 401)
    back = second.follow(provider.sign_out(second, page.onward), walk.url("/sign-in"))
    walk.check("and the provider sends the person back", isinstance(back, str), back)
    page = second.get(back)
    walk.check("to the page of the sign-in", page.status == 200 and page.heading == "Sign in", page)
    for token in ("", "nonsense", "a.b.c"):
        answer = Browser().post(walk.url(f"/sign-in/logout/{walk.tenant}"), {"logout_token": token})
        walk.check(f"the logout token {token!r} is refused", answer.status == 400, answer)
    browser, _ = walk.sign_in(provider, "ann")
    foreign = browser.ask("POST", walk.url("/sign-out"), "", {"Sec-Fetch-Site": "cross-site"})
    walk.check("another site signs nobody out", foreign.status == 403 and walk.signed_in(browser) == walk.ann, foreign)


def require(walk, provider, by_link):
    refused = walk.use(by_link, "required")
    walk.check("who came by a link cannot require the provider", refused.status == 409 and "signed in by this connection" in refused.text, refused)
    owner, _ = walk.sign_in(provider, "ann")
    refused = walk.use(owner, "required")
    walk.check("nor an owner without recovery codes", refused.status == 409 and "recovery" in refused.text, refused)
    codes = owner.rest("POST", walk.url("/api/v1/session/recovery-codes")).json["codes"]
    required = walk.use(owner, "required")
    walk.check("then it is required", required.status == 200 and required.json["use"] == "required", required)
    walk.ends("requiring the provider", by_link)
    walk.check("the owner who required it stays", walk.signed_in(owner) == walk.ann)
    member = walk.by_key("GET", f"/api/v1/members?email={urllib.parse.quote(walk.bea)}").json["items"][0]["id"]
    link = owner.rest("POST", walk.url(f"/api/v1/members/{member}/sign-in-link"), {})
    walk.check("an owner makes no links any more", link.status == 409, link)
    walk.check("the operator does", walk.signed_in(walk.by_link(walk.bea)) == walk.bea)
    browser = Browser()
    page = browser.get(walk.url("/sign-in"))
    address, fields = page.form(1)
    walk.check("a recovery code lets an owner in", browser.post(address, {**fields, "link": codes[0]}).status == 303)
    walk.check("as the owner", walk.signed_in(browser) == walk.ann)
    events = walk.by_key("GET", "/api/v1/audit-events?order=desc&limit=200").json["items"]
    kinds = {event["kind"] for event in events}
    wanted = {"domain.added", "domain.verified", "sign_in_connection.created", "sign_in_connection.tested", "sign_in_connection.updated",
              "identity.tied", "identity.released", "session.started", "session.ended", "sign_in_link.used"}
    walk.check("the audit log tells all of it", wanted <= kinds, wanted - kinds)
    walk.check("and no secret", SECRET not in str(events))
    walk.check("it is switched off again", walk.use(owner, "off").status == 200)
    walk.check("and deleted", owner.rest("DELETE", walk.connection).status == 204)
