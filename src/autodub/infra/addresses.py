"""Which addresses of the network may be fetched from: decided on the written form and on every connection.

Two checks, both needed. ``permit`` reads an address a person gave: http or https, no user name, a host
that an operator allows, in one unmistakable spelling; it needs no network and goes first. ``Networks``
judges the address a connection is about to be made to, whatever name, redirect or manifest it came from:
names can change their meaning between two looks, so nothing that was resolved earlier is trusted.

Reserved networks: IANA special-purpose address registries for IPv4 and IPv6 (RFC 6890 and successors).
"""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote

from autodub.model.errors import BadOption, UnsupportedSource

_LONGEST = 4096
"""Characters of an address; browsers stop at about twice that, honest links at a tenth."""
_PARTS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?://([^/?#]*)([^#]*))?", re.DOTALL)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
_USUAL = {"http": 80, "https": 443}
_LOCAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "localdomain")
"""Names that mean the machine or its own network, wherever they are asked for."""

_RESERVED = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # a cloud's own services, on an address that looks public
    )
)  # fmt: skip
_METADATA = ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
"""Where clouds answer their own machines, with keys among other things; the usual one is link-local."""
_ELSEWHERE = "No video is there. Give the public link of one, or download the file and give its path."
_GLOBAL = ipaddress.IPv6Network("2000::/3")
"""Everything else in IPv6 is local, multicast, or not given out."""
_RESERVED_6 = tuple(ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20"))
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (NAT64, RFC 6052): as public as the address inside."""
_TUNNELLED = ipaddress.IPv6Network("2002::/16")
"""IPv4 in bits 16 to 48 (6to4, RFC 3056)."""
_ISATAP = (0x00005EFE, 0x02005EFE)
"""Interface identifiers with an IPv4 address in their lower half (RFC 5214)."""


@dataclass(frozen=True, slots=True)
class Address:
    """A web address in its one spelling: lower-case ASCII host, no user, no default port, no fragment."""

    scheme: str
    host: str
    """Name, or literal address without brackets."""
    port: int
    target: str
    """Path and query, beginning with a slash."""

    @property
    def url(self) -> str:
        """The whole address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _USUAL[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


@dataclass(frozen=True, slots=True)
class Networks:
    """Judges the addresses that connections are made to; ``allowed`` are networks let through regardless."""

    allowed: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    @classmethod
    def of(cls, addresses: Sequence[str]) -> Networks:
        """From a setting such as ``("127.0.0.1/32",)``. Raises BadOption for what is not a network."""
        allowed = []
        for text in addresses:
            try:
                allowed.append(ipaddress.ip_network(text.strip(), strict=False))
            except ValueError as error:
                raise BadOption(
                    f"'{text}' in the setting download.addresses is not a network.",
                    hint="Write an address or a network, such as 192.168.1.20 or 192.168.1.0/24.",
                ) from error
        return cls(tuple(allowed))

    def is_open(self, address: str) -> bool:
        """Whether a literal address may be connected to; False for anything that is none."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return all(self._passes(each) for each in _meanings(found))

    def may_lead(self, host: str) -> bool:
        """Whether a host can be connected to at all, as far as its written form tells.

        One that means this machine, or its own network, leads nowhere unless somebody let that through.
        """
        if _is_literal(host):
            return self.is_open(host)
        if host.rpartition(".")[2] == "localhost":
            return self.is_open("127.0.0.1") or self.is_open("::1")
        return bool(self.allowed) or not _is_local(host)

    def check(self, address: str, *, name: str = "") -> None:
        """Raise UnsupportedSource unless the address may be connected to; ``name`` is what led there."""
        if self.is_open(address):
            return
        whose = f"{name} leads to {address}, which" if name and name != address else address
        raise UnsupportedSource(
            f"{whose} is not a public address of the internet; nothing is fetched from there.",
            hint=_ELSEWHERE
            if _is_never_offered(address)
            else "If this is a machine of yours, its operator can allow it: download.addresses in the "
            f'configuration file, or AUTODUB_ADDRESSES, with "{address}".',
        )

    def _passes(self, address: IPv4Address | IPv6Address) -> bool:
        return _is_public(address) or any(
            address in network for network in self.allowed if network.version == address.version
        )


def permit(text: str, *, sites: Sequence[str], networks: Networks | None = None) -> Address:
    """The address in its one spelling, if it may be fetched from as far as its written form tells.

    ``sites`` are host names whose subdomains are included; ``*`` is any public site. A literal address
    is a host like any other: it must be among ``sites`` (or ``*``) and, unless public, in ``networks``.
    Raises UnsupportedSource saying what is wrong and how an operator may allow it.
    """
    address = parse(text)
    if not _is_listed(address.host, sites):
        known = ", ".join(site for site in sites if site != "*") or "none"
        raise UnsupportedSource(
            f"{address.host} is not among the sites that may be fetched from ({known}).",
            hint=_ELSEWHERE
            if _is_literal(address.host) and _is_never_offered(address.host)
            else _longer((*sites, address.host)),
        )
    if _is_literal(address.host):
        (networks or Networks()).check(address.host)
    return address


def parse(text: str) -> Address:
    """Read a web address strictly; one that two programs could read in two ways is refused."""
    text = text.strip(" \t\r\n")
    shown = _shown(text)
    if len(text) > _LONGEST:
        raise _refused(shown, f"is longer than {_LONGEST} characters", "Give the plain link of one video.")
    odd = next((c for c in text if c == "\\" or unicodedata.category(c)[0] in "CZ"), None)
    if odd is not None:
        what = "a backslash" if odd == "\\" else f"a space or an invisible character (U+{ord(odd):04X})"
        raise _refused(shown, f"contains {what}", "Copy the link again from the browser.")
    parts = _PARTS.match(text)
    scheme = parts[1].lower() if parts else ""
    if parts is None or scheme not in _USUAL or parts[2] is None:
        how = f"begins with '{scheme}:'" if scheme and scheme not in _USUAL else "is not a web address"
        raise _refused(shown, how, "Only links that begin with https:// or http:// are fetched.")
    authority, target = parts[2], parts[3]
    if "@" in authority:
        raise _refused(
            shown, "contains a user name before its host", "Leave out everything up to the @ after the //."
        )
    host, port = _host_and_port(authority, shown)
    target = target if target.startswith("/") else "/" + target
    # Characters beyond ASCII are written the one way that servers understand; what is quoted stays quoted.
    return Address(scheme, host, port or _USUAL[scheme], quote(target, safe="/?:@!$&'()*+,;=-._~%[]|"))


def is_web_port(port: int) -> bool:
    """Whether web sites are fetched from a port.

    Below 1024 live the protocols that a web request could be mistaken for (mail, remote shells).
    """
    return port in (80, 443) or 1024 <= port <= 65535


def _host_and_port(authority: str, shown: str) -> tuple[str, int | None]:
    literal = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?", authority)
    plain = re.fullmatch(r"([^:\[\]%]+)(?::([0-9]{1,5}))?", authority)
    found = literal or plain
    if found is None:
        raise _refused(shown, "has no readable host", "Copy the link again from the browser.")
    port = int(found[2]) if found[2] else None
    if port is not None and not is_web_port(port):
        raise _refused(shown, f"names port {port}", "Web pages are fetched from port 80, 443 or above 1023.")
    if plain:
        return _name(plain[1], shown), port
    try:
        return str(IPv6Address(found[1])), port
    except ValueError as error:
        raise _refused(shown, "has no readable host", "Copy the link again from the browser.") from error


def _name(text: str, shown: str) -> str:
    """A host name in lower-case ASCII, or a dotted IPv4 address exactly as such are written."""
    try:
        name = unicodedata.normalize("NFKC", text.translate(_DOTS)).lower().removesuffix(".")
        if not name.isascii():
            name = name.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _refused(
            shown, "has a host that is no name", "Copy the link again from the browser."
        ) from error
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refused(shown, "has a host that is no name", "Copy the link again from the browser.")
    if not _NUMBER.fullmatch(labels[-1]):
        return name
    # Decimal, octal, hexadecimal and shortened forms mean different machines to different programs.
    try:
        return str(IPv4Address(name))
    except ValueError as error:
        raise _refused(
            shown, "names its host by an unusual number", "Write the address as four numbers from 0 to 255."
        ) from error


def _is_listed(host: str, sites: Sequence[str]) -> bool:
    for site in sites:
        if site.strip() == "*":
            if not _is_local(host):
                return True
            continue
        try:
            known = site.strip().strip("[]").removeprefix("*.").removeprefix(".")
            known = str(IPv6Address(known)) if ":" in known else _name(known, site)
        except (ValueError, UnsupportedSource) as error:
            raise BadOption(
                f"'{site}' in the setting download.sites is not a host name.",
                hint="Write host names alone, such as youtube.com; * stands for any public site.",
            ) from error
        if host == known or (host.endswith("." + known) and not _NUMBER.fullmatch(known.rpartition(".")[2])):
            return True
    return False


def _is_local(host: str) -> bool:
    """Names without a dot, and endings that never belong to a public site."""
    if ":" in host:
        return False
    return "." not in host or any(host == name or host.endswith("." + name) for name in _LOCAL)


def _is_literal(host: str) -> bool:
    return ":" in host or bool(_NUMBER.fullmatch(host.rpartition(".")[2]))


def _is_never_offered(address: str) -> bool:
    """Whether nobody should be led to allow an address: no literal one, or one where clouds give out keys."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True
    return any(each.is_link_local or str(each) in _METADATA for each in (found, *_meanings(found)))


def _longer(sites: Sequence[str]) -> str:
    """How an operator allows one more site: the settings replace the list, so all of it is shown."""
    return (
        f"An operator can add it: download.sites = {json.dumps(list(sites), ensure_ascii=False)} in the "
        f"configuration file, or AUTODUB_SITES={shlex.quote(','.join(sites))} (this replaces the list, so "
        "all of it is here); or download the file and give its path."
    )


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _RESERVED)
    return address in _GLOBAL and not any(address in network for network in _RESERVED_6)


def _meanings(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses that packets to ``address`` may end up at: itself, or what is embedded in it."""
    if isinstance(address, IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _TRANSLATED:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
        if address in _TUNNELLED:
            yield IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
        if int(address) >> 32 & 0xFFFFFFFF in _ISATAP:
            yield IPv4Address(int(address) & 0xFFFFFFFF)


def _shown(text: str) -> str:
    """The address as it may be printed: one line, no user name or password, not endless."""
    line = "".join(c if c.isprintable() else "?" for c in text)
    line = re.sub(r"//[^/?#]*@", "//...@", line)
    return line if len(line) <= 100 else line[:97] + "..."


def _refused(shown: str, why: str, how: str) -> UnsupportedSource:
    return UnsupportedSource(f"The address {shown} {why}.", hint=how)
