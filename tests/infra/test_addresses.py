"""The address policy: one spelling, listed sites, public networks; and a table of hostile addresses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autodub.infra.addresses import Address, Networks, parse, permit
from autodub.model.errors import BadOption, UnsupportedSource

YOUTUBE = ("youtube.com", "youtu.be")

HOSTILE = [
    # other schemes
    "file:///etc/passwd",
    "ftp://example.com/a.mp4",
    "gopher://example.com/_x",
    "data:video/mp4;base64,AAAA",
    "javascript:alert(1)",
    "ws://example.com/",
    "https:example.com/a",
    "//example.com/a",
    "example.com/watch",
    "",
    # the machine itself
    "http://127.0.0.1/",
    "http://127.8.9.10/",
    "http://localhost/",
    "http://localhost./",
    "http://sub.localhost/",
    "http://LOCALHOST/",
    "http://0.0.0.0/",
    "http://0/",
    "http://[::]/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    # its network, and the services that clouds keep there
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/admin",
    "http://100.64.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/",
    "http://192.0.0.192/opc/v1/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://metadata.google.internal/",
    "http://router.local/",
    "http://printer.home.arpa/",
    "http://intranet/",
    # nobody's
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    # one inside the other
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "http://[2600:1f18::5efe:10.0.0.1]/",
    # unusual numbers
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://1.2.3.4.5/",
    "http://256.1.1.1/",
    "http://127.0.0.1./",
    # unusual letters
    "http://①②⑦.0.0.1/",
    "http://127。0。0。1/",
    "http://ｌｏｃａｌｈｏｓｔ/",
    "http://exa\u200bmple.com/",
    "http://example.com\u2028.youtube.com/",
    # who is asked, and who seems to be
    "http://youtube.com@127.0.0.1/",
    "http://youtube.com:80@10.0.0.1/",
    "https://user:secret@youtube.com/watch?v=aaaaaaaaaaa",
    "http://127.0.0.1\\@youtube.com/",
    "http://youtube.com\\.evil.example/",
    "http://youtube.com%00.evil.example/",
    "http://%31%32%37.0.0.1/",
    "http://127.0.0.1%2f.youtube.com/",
    "http://youtube.com\r\nHost: evil.example/",
    "http://youtube.com /",
    "http://youtu\tbe.com/",
    "http://[::1",
    "http://[::1].youtube.com/",
    "http://:80/",
    "http:///etc/passwd",
    "http://./",
    "http://a..b.com/",
    "http://-a.com/",
    # services that are no web sites
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://example.com:999999/",
    "http://example.com:+80/",
    "http://example.com:٨٠/",
    "http://example.com/" + "a" * 5000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_even_where_every_site_is_allowed(url: str) -> None:
    """No spelling reaches this machine, its network, another scheme or an unclear host (R29)."""
    with pytest.raises(UnsupportedSource) as refusal:
        permit(url, sites=("*",))
    assert refusal.value.hint
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_the_table_is_long_enough() -> None:
    """At least forty different hostile addresses are tried."""
    assert len(set(HOSTILE)) >= 40


@pytest.mark.parametrize(
    "url",
    [
        "https://youtube.com.evil.example/watch?v=aaaaaaaaaaa",
        "https://notyoutube.com/watch?v=aaaaaaaaaaa",
        "https://evil.example/?u=https://youtube.com/",
        "https://evil.example/#https://youtube.com/",
        "https://youtube.co/",
        "https://уoutube.com/watch?v=aaaaaaaaaaa",
        "https://8.8.8.8/",
    ],
)
def test_sites_that_are_not_listed_are_refused_and_the_setting_is_named(url: str) -> None:
    """Only a listed host and its subdomains pass; look-alikes do not, and the hint says what to set."""
    with pytest.raises(UnsupportedSource, match="not among the sites") as refusal:
        permit(url, sites=YOUTUBE)
    assert "download.sites" in refusal.value.hint
    assert "AUTODUB_SITES" in refusal.value.hint


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://www.youtube.com/watch?v=a", "https://www.youtube.com/watch?v=a"),
        ("  https://youtu.be/a \n", "https://youtu.be/a"),
        ("HTTPS://WWW.YouTube.COM/a", "https://www.youtube.com/a"),
        ("https://youtube.com", "https://youtube.com/"),
        ("https://youtube.com:443/a", "https://youtube.com/a"),
        ("http://youtube.com:80/a", "http://youtube.com/a"),
        ("http://youtube.com:8080/a", "http://youtube.com:8080/a"),
        ("https://youtube.com./a", "https://youtube.com/a"),
        ("https://youtube.com?v=a", "https://youtube.com/?v=a"),
        ("https://ｙｏｕｔｕｂｅ．ｃｏｍ/a", "https://youtube.com/a"),
        ("https://youtube.com/a#__youtubedl_smuggle=%7B%7D", "https://youtube.com/a"),
        (
            "https://youtube.com/ä?b=%C3%A4&c=d e".replace(" ", "+"),
            "https://youtube.com/%C3%A4?b=%C3%A4&c=d+e",
        ),
    ],
)
def test_an_address_has_one_spelling(url: str, plain: str) -> None:
    """Case, default ports, final dots and fragments do not matter; what is quoted stays quoted."""
    assert permit(url, sites=YOUTUBE).url == plain


def test_names_beyond_ascii_are_compared_in_the_form_that_is_asked_for() -> None:
    """A site may be listed in its own letters or in ASCII."""
    for site in ("bücher.example", "xn--bcher-kva.example", "*.bücher.example", ".BÜCHER.example."):
        address = permit("https://video.Bücher.example/1", sites=(site,))
        assert address.host == "video.xn--bcher-kva.example"


def test_addresses_of_public_machines_pass_where_any_site_may_be_fetched() -> None:
    """A literal public address is a host like any other."""
    assert permit("https://8.8.8.8/a", sites=("*",)).host == "8.8.8.8"
    assert permit("https://[2001:4860:4860:0::8888]:8443/a", sites=("*",)) == Address(
        "https", "2001:4860:4860::8888", 8443, "/a"
    )
    assert permit("https://[2001:4860:4860::8888]/", sites=("*",)).url == "https://[2001:4860:4860::8888]/"


def test_a_private_address_needs_both_settings() -> None:
    """A machine of the operator's own must be listed as a site and as a network."""
    url = "http://127.0.0.1:8000/talk"
    own = Networks.of(("127.0.0.1/32",))
    assert permit(url, sites=("127.0.0.1",), networks=own).url == url
    with pytest.raises(UnsupportedSource, match="not a public address") as refusal:
        permit(url, sites=("127.0.0.1",))
    assert "AUTODUB_ADDRESSES" in refusal.value.hint
    with pytest.raises(UnsupportedSource, match="not among the sites"):
        permit(url, sites=YOUTUBE, networks=own)
    with pytest.raises(UnsupportedSource, match="not among the sites"):
        permit("http://8.127.0.0.1.example/", sites=("127.0.0.1",), networks=own)
    assert permit("http://localhost:8000/", sites=("localhost",)).host == "localhost"


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "168.63.129.16", "100.100.100.200", "[fe80::1]", "[fd00:ec2::254]",
     "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"],
)  # fmt: skip
def test_nobody_is_led_to_allow_where_clouds_keep_keys(host: str) -> None:
    """Link-local and metadata addresses are refused without a word on how to let them through."""
    for sites in (YOUTUBE, ("*",), (host.strip("[]"),)):
        with pytest.raises(UnsupportedSource) as refusal:
            permit(f"http://{host}/latest/meta-data", sites=sites)
        assert "AUTODUB_" not in refusal.value.hint
        assert "download." not in refusal.value.hint
        assert "public link" in refusal.value.hint
    with pytest.raises(UnsupportedSource) as refusal:
        Networks().check("169.254.169.254", name="video.example")
    assert "AUTODUB_" not in refusal.value.hint


def test_the_hint_shows_the_whole_new_list() -> None:
    """A setting replaces the list, so what was allowed before is in what to set."""
    with pytest.raises(UnsupportedSource) as refusal:
        permit("https://video.example/1", sites=("youtube.com", "youtu.be"))
    assert 'download.sites = ["youtube.com", "youtu.be", "video.example"]' in refusal.value.hint
    assert "AUTODUB_SITES=youtube.com,youtu.be,video.example" in refusal.value.hint


@pytest.mark.parametrize("address", ["", "youtube.com", "/run/socket", "127.1", "0x7f000001", "1", "::g"])
def test_what_is_no_literal_address_is_not_connected_to(address: str) -> None:
    """A connection to a name would be resolved out of sight."""
    assert not Networks().is_open(address)
    assert not Networks.of(("0.0.0.0/0", "::/0")).is_open(address)


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("192.168.1.20", "192.168.1.20", "192.168.1.21"),
        ("192.168.1.7/24", "::ffff:192.168.1.9", "192.168.2.1"),
        ("fd12::/16", "fd12::1", "fd13::1"),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", "64:ff9b::192.168.0.1"),
        ("fe80::/10", "fe80::1%eth0", "fec0::1"),
    ],
)
def test_an_operator_lets_networks_through(network: str, inside: str, outside: str) -> None:
    """The setting is a network; it holds for an address however that is wrapped."""
    networks = Networks.of((network,))
    assert networks.is_open(inside)
    assert not networks.is_open(outside)
    assert not Networks().is_open(inside)


@pytest.mark.parametrize("setting", ["", "localhost", "10.0.0.0/33", "300.1.1.1"])
def test_a_network_that_is_none_is_named(setting: str) -> None:
    """A slip in the settings is an error, never an open door."""
    with pytest.raises(BadOption, match=r"download\.addresses"):
        Networks.of((setting,))


@pytest.mark.parametrize("setting", ["", "https://youtube.com", "youtube.com/watch", "a b"])
def test_a_site_that_is_none_is_named(setting: str) -> None:
    """A slip in the list of sites is an error, never a rule that fits nothing or everything."""
    with pytest.raises(BadOption, match=r"download\.sites"):
        permit("https://youtube.com/", sites=(setting,))


def test_the_refusal_says_which_name_led_to_the_address() -> None:
    """What was asked for and what it turned out to be are both told."""
    with pytest.raises(UnsupportedSource, match=r"video\.example leads to 10\.0\.0\.1"):
        Networks().check("10.0.0.1", name="video.example")


@given(st.text(max_size=60), st.sampled_from(["", "http://", "https://", "http://[", "https://a@"]))
@settings(deadline=None, max_examples=300)
def test_any_text_is_an_address_in_plain_ascii_or_refused(text: str, scheme: str) -> None:
    """What comes out reads as itself again, and nothing but a refusal is raised."""
    try:
        address = parse(scheme + text)
    except UnsupportedSource:
        return
    assert address.url.isascii()
    assert address.url.isprintable()
    assert not set(address.host) & set("@/\\?#% ")
    assert parse(address.url) == address


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=200)
def test_every_wrapping_of_an_address_is_judged_as_the_address(number: int) -> None:
    """Mapped and translated forms are exactly as open as what they carry; tunnels never more so."""
    import ipaddress

    plain = ipaddress.IPv4Address(number)
    is_open = Networks().is_open(str(plain))
    assert Networks().is_open(f"::ffff:{plain}") == is_open
    assert Networks().is_open(f"64:ff9b::{plain}") == is_open
    tunnel = ipaddress.IPv6Address((0x2002 << 112) | (number << 80))
    assert Networks().is_open(str(tunnel)) <= is_open
    if plain.is_private or plain.is_multicast or plain.is_loopback or plain.is_link_local:
        assert not is_open
