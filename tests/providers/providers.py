"""The OpenID providers: how each is installed, started, and how a person signs in there."""

import contextlib
import json
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request

from browser import Browser
from hubs import ROOT, Unreachable, install
from node import node, npm_install
from programs import Program

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "rollcall-secret-0123456789"


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=30).read()


class Served(Program):
    """A provider in a program of its own."""

    def __init__(self, command):
        self.folder = tempfile.TemporaryDirectory(prefix="provider-")
        super().__init__(command, pathlib.Path(self.folder.name) / "log")
        self.issuer = self.address

    def people(self, people):
        post(f"{self.issuer}/-/people", people)

    def new_keys(self):
        post(f"{self.issuer}/-/keys", {})

    def __exit__(self, *ended):
        super().__exit__(*ended)
        self.folder.cleanup()


class OidcProvider(Served):
    """npm oidc-provider: the whole walk."""

    whole, vouches, backchannel, logout, tells_time = True, True, True, True, True

    @staticmethod
    def install():
        home = npm_install("oidc-provider", ROOT / "target" / "providers" / "oidc-provider", HERE)
        shutil.copy(HERE / "oidc_provider.mjs", home)
        return home

    def __init__(self, home, redirect, backchannel, after_logout):
        super().__init__([*node()[0], str(home / "oidc_provider.mjs"), redirect, backchannel, after_logout])

    def sign_in(self, browser, url, name, until):
        """Answers the provider's pages; returns the address to which it sends the browser back."""
        page = browser.get(url)
        for _ in range(10):
            page = browser.follow(page, until)
            if isinstance(page, str):
                return page
            address, fields = page.form()
            # The first page asks for a name, the second for consent.
            fields |= {"login": name, "password": "any"} if "login" in page.text and 'name="password"' in page.text else {}
            page = browser.post(address, fields)
        raise AssertionError(f"no way back: {page}")

    def sign_out(self, browser, url=None):
        """Signs out at the provider's own page; returns where it leads."""
        page = browser.follow(browser.get(url or f"{self.issuer}/session/end"))
        address, fields = page.form()
        return browser.post(address, {**fields, "logout": "yes"})


class Canaille(Served):
    """Canaille: it does not say whether an address is verified, and its times have fractions."""

    whole, vouches, backchannel, logout, tells_time = False, False, False, True, True

    @staticmethod
    def install():
        pins = HERE.parent / "clients" / "canaille.txt"
        arguments = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(pins)]
        return install(ROOT / "target" / "clients" / "canaille", pins.read_text(), arguments)

    def __init__(self, programs, redirect, backchannel, after_logout):
        super().__init__([str(programs / "python"), str(HERE / "canaille_provider.py"), redirect, after_logout])

    def sign_in(self, browser, url, name, until):
        page = browser.get(url)
        for _ in range(10):
            page = browser.follow(page, until)
            if isinstance(page, str):
                return page
            path = urllib.parse.urlsplit(page.url).path
            fields = {"/login": {"login": name}, "/auth/password": {"password": f"{name}-password-1"}}[path]
            page = browser.post(page.url, fields)
        raise AssertionError(f"no way back: {page}")

    def sign_out(self, browser, url):
        return browser.get(url)


class Glewlwyd:
    """glewlwyd: its audience is a text, its sign-in time 0, and its logout tokens have no end."""

    whole, vouches, backchannel, logout, tells_time = False, True, True, False, False
    LIBRARIES = ["libulfius2.7", "libiddawc1.1", "libhoel1.4", "librhonabwy1.1", "liboath0", "libconfig9", "libldap-2.5-0", "libcbor0.8", "openssl"]

    @staticmethod
    def install():
        home = ROOT / "target" / "providers" / "glewlwyd"
        if (home / "root" / "usr" / "bin" / "glewlwyd").exists():
            return home
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        if subprocess.run([ROOT / "tests" / "install-missing", *Glewlwyd.LIBRARIES]).returncode != 0:
            raise Unreachable("glewlwyd's libraries cannot be installed; it is for Debian 12")
        # Unpacked, not installed: its package makes a system user and a database.
        got = subprocess.run("apt-get -q download glewlwyd && dpkg -x glewlwyd_*.deb root", shell=True, cwd=home, capture_output=True, text=True)
        if got.returncode != 0:
            raise Unreachable(f"glewlwyd cannot be fetched. apt says: {got.stderr.strip()[-600:]}")
        return home

    def __init__(self, home, redirect, backchannel, after_logout):
        self.folder = tempfile.TemporaryDirectory(prefix="glewlwyd-")
        folder, root = pathlib.Path(self.folder.name), home / "root" / "usr"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.issuer = f"{self.base}/api/oidc"
        database = sqlite3.connect(folder / "db")
        database.executescript((root / "share/dbconfig-common/data/glewlwyd/install/sqlite3").read_text())
        database.commit()
        database.close()
        modules = {"user": "user", "client": "client", "user_auth_scheme": "scheme", "plugin": "plugin"}
        paths = "\n".join(f'{name}_module_path="{root}/lib/glewlwyd/{where}"' for name, where in modules.items())
        (folder / "conf").write_text(
            f'port={self.port}\nbind_address="127.0.0.1"\nexternal_url="{self.base}"\nlogin_url="login.html"\napi_prefix="api"\n'
            'log_mode="console"\nlog_level="INFO"\ncookie_secure=0\nsession_expiration=2419200\nsession_key="GLEWLWYD2_SESSION_ID"\n'
            f'admin_scope="g_admin"\nprofile_scope="g_profile"\n{paths}\nhash_algorithm="SHA512"\n'
            f'database = {{ type = "sqlite3" path = "{folder}/db" }};\n')
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen([root / "bin" / "glewlwyd", f"--config-file={folder}/conf"], stdout=self.log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.base}/config", timeout=5).read()
                break
            time.sleep(0.1)
        subprocess.run(["openssl", "genrsa", "-out", folder / "key", "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", folder / "key", "-pubout", "-out", folder / "pub"], check=True, capture_output=True)
        self.admin = Browser()
        self.set_up((folder / "key").read_text(), (folder / "pub").read_text(), redirect, backchannel, after_logout)

    def api(self, browser, method, path, body=None):
        body = None if body is None else json.dumps(body)
        page = browser.ask(method, f"{self.base}/api{path}", body, {"Content-Type": "application/json"})
        assert page.status < 300, (method, path, page)
        return json.loads(page.text) if page.text.strip() else None

    def set_up(self, key, pub, redirect, backchannel, after_logout):
        def api(*call):
            return self.api(self.admin, *call)

        def attributes(kind, **names):
            module = api("GET", f"/mod/{kind}/database")
            formats = {name: {"multiple": multiple, "read": True, "write": True} for name, multiple in names.items()}
            module["parameters"].setdefault("data-format", {}).update(formats)
            api("PUT", f"/mod/{kind}/database", module)
            api("PUT", f"/mod/{kind}/database/reset")

        api("POST", "/auth/", {"username": "admin", "password": "password"})  # as it is shipped
        for name in ("profile", "email"):
            api("POST", "/scope/", {"name": name, "display_name": name, "description": name, "password_required": False, "scheme": {}})
        attributes("user", email_verified=False)
        attributes("client", backchannel_logout_uri=False, backchannel_logout_session_required=False, post_logout_redirect_uris=True,
                   token_endpoint_auth_method=True)
        verified = {"name": "email_verified", "user-property": "email_verified", "type": "boolean", "mandatory": False, "on-demand": True,
                    "scope": ["email"], "boolean-value-true": "1", "boolean-value-false": "0"}
        off = {f"auth-type-{kind}-enabled": False for kind in ("token", "implicit", "password", "client")}
        api("POST", "/mod/plugin/", {"module": "oidc", "name": "oidc", "display_name": "OIDC", "parameters": {
            **off, "iss": self.issuer, "jwt-type": "rsa", "jwt-key-size": "256", "key": key, "cert": pub, "jwks-show": True,
            "access-token-duration": 3600, "refresh-token-duration": 1209600, "code-duration": 600, "refresh-token-rolling": True,
            "allow-non-oidc": False, "auth-type-code-enabled": True, "auth-type-code-revoke-replayed": True, "auth-type-refresh-enabled": True,
            "subject-type": "public", "allowed-scope": ["openid", "profile", "email"], "scope": [], "additional-parameters": [],
            "name-claim": "on-demand", "name-claim-scope": ["profile"], "email-claim": "on-demand", "email-claim-scope": ["email"],
            "scope-claim": "no", "scope-claim-scope": [], "claims": [verified], "address-claim": {"type": "no"}, "pkce-allowed": True,
            "pkce-method-plain-allowed": False, "pkce-required": True, "oauth-as-iss-id": True, "session-management-allowed": True,
            "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 2419200, "front-channel-logout-allowed": False,
            "back-channel-logout-allowed": True, "request-parameter-allow": False, "register-client-allowed": False}})
        api("POST", "/client/", {
            "client_id": "rollcall", "name": "Rollcall", "confidential": True, "client_secret": SECRET, "redirect_uri": [redirect],
            "token_endpoint_auth_method": ["client_secret_basic"], "post_logout_redirect_uris": [after_logout],
            "backchannel_logout_uri": backchannel, "backchannel_logout_session_required": "true", "authorization_type": ["code"],
            "scope": [], "enabled": True})

    def people(self, people):
        for name, claims in people.items():
            verified = "1" if claims.get("email_verified") else "0"
            self.api(self.admin, "POST", "/user/", {
                "username": name, "password": f"{name}-password", "name": name.title(), "email": claims["email"], "email_verified": verified,
                "scope": ["g_profile", "openid", "profile", "email"], "enabled": True})

    def sign_in(self, browser, url, name, until):
        self.api(browser, "POST", "/auth/", {"username": name, "password": f"{name}-password"})
        self.api(browser, "PUT", "/auth/grant/rollcall", {"scope": "openid profile email"})
        page = browser.follow(browser.get(f"{url}&g_continue="), until)
        assert isinstance(page, str), page
        return page

    def sign_out(self, browser, session):
        """As the «yes» of its page does."""
        self.api(browser, "DELETE", f"/oidc/session/{session}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()


PROVIDERS = {"oidc-provider": OidcProvider, "canaille": Canaille, "glewlwyd": Glewlwyd}
