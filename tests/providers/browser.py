"""A browser without a screen: cookies by site, redirects by hand, forms, and the headers by which sites tell their own pages from others."""

import html
import http.client
import json
import re
import urllib.parse

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers = url, status, headers
        self.text = body.decode(errors="replace")

    def __repr__(self):
        return f"{self.status} at {self.url}: {self.text[:600]}"

    @property
    def json(self):
        return json.loads(self.text)

    @property
    def location(self):
        return urllib.parse.urljoin(self.url, self.headers["location"]) if "location" in self.headers else None

    @property
    def onward(self):
        """The address to which a page leads by itself."""
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', self.text)
        return html.unescape(found[1]) if found else None

    def form(self, number=0):
        """The address of a form, and its hidden fields."""
        forms = re.findall(r"<form[^>]*action=[\"']([^\"']*)[\"'][^>]*>(.*?)</form>", self.text, re.S)
        action, inside = forms[number]
        fields = {}
        for tag in re.findall(r"<input[^>]*>", inside):
            attributes = dict(re.findall(r"([a-z]+)=[\"']([^\"']*)[\"']", tag))
            if attributes.get("type") == "hidden":
                fields[attributes["name"]] = html.unescape(attributes.get("value", ""))
        return urllib.parse.urljoin(self.url, html.unescape(action)), fields

    @property
    def heading(self):
        found = re.search(r"<h1>(.*?)</h1>", self.text)
        return html.unescape(found[1]) if found else None


class Browser:
    def __init__(self):
        self.jar, self.requests = {}, 0

    def ask(self, method, url, body=None, headers=()):
        """One request, without its redirects."""
        self.requests += 1
        parts = urllib.parse.urlsplit(url)
        cookies = self.jar.setdefault(parts.netloc, {})
        headers = dict(headers)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        connection = http.client.HTTPConnection(parts.netloc, timeout=30)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        page = Page(url, answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        for cookie in answer.headers.get_all("set-cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            attributes = cookie.lower()
            if "max-age=0" in attributes or "expires=thu, 01 jan 1970" in attributes or not value:
                cookies.pop(name, None)
            else:
                cookies[name] = value
        connection.close()
        return page

    def get(self, url):
        return self.ask("GET", url)

    def post(self, url, fields):
        """A form of the site's own page."""
        return self.ask("POST", url, urllib.parse.urlencode(fields), {**FORM, "Sec-Fetch-Site": "same-origin"})

    def rest(self, method, url, body=None, headers=()):
        """A request of a script of the hub's own page."""
        own = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin", "X-Rollcall-CSRF": "1"}
        return self.ask(method, url, None if body is None else json.dumps(body), {**own, **dict(headers)})

    def follow(self, page, until=None, steps=20):
        """Goes where the pages lead, until an address that begins with `until`, which is not asked."""
        for _ in range(steps):
            url = page.location if page.status in (301, 302, 303, 307) else page.onward
            if url is None:
                return page
            if until and url.startswith(until):
                return url
            page = self.get(url)
        raise AssertionError(f"no end of redirects at {page.url}")
