"""The configuration file of a node: what is right is read, what is wrong is named by file, key and reason."""

from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.daemon.config import NodeConfig, Role, load, parse
from lab.engine.config import CorrespondentConfig, DadMode, HomeAgentConfig, MobileNodeConfig
from lab.errors import ConfigError

NODE = {"name": '"n"', "journal": '"-"'}
TABLES: dict[str, dict[str, str]] = {
    "home_agent": {
        "interface": '"eth1"',
        "address": '"2001:db8:1::1"',
        "home_prefixes": '["2001:db8:1::/64"]',
        "max_binding_lifetime": "600",
        "refresh_advice": "300",
        "allowed": '["2001:db8:1::100"]',
        "refused": '["2001:db8:1::bad/128"]',
        "refused_care_of": '["2001:db8:bad::/48"]',
        "max_bindings": "1000",
        "delete_timeout": "5",
        "preference": "65535",
        "dhcpv6_servers": '["2001:db8:1::2", "2001:db8:d::547"]',
    },
    "correspondent": {
        "route_optimisation": "false",
        "refused": '["2001:db8:bad::/48"]',
        "max_bindings": "1",
        "evict": "true",
        "max_binding_lifetime": "4",
        "nonce_lifetime": "8",
    },
    "mobile_node": {
        "interface": '"wlan0"',
        "home_address": '"2001:db8:1::100"',
        "home_prefix": '"2001:db8:1::/64"',
        "further_home_addresses": '["2001:db8:1::101", "2001:db8:2::100"]',
        "home_agent": '"2001:db8:1::1"',
        "home_agent_attempts": "1",
        "lifetime": "120",
        "dad": '"standard"',
        "first_bindack_timeout": "2.5",
        "initial_sequence": "65535",
        "route_optimisation": "false",
        "optimised": '["2001:db8:c::/64"]',
        "not_optimised": '["2001:db8:c::53/128"]',
        "binding_lifetime": "416",
        "acknowledged_registrations": "false",
        "dhcpv6": "true",
    },
}
NESTED = ("home_agent", "mobile_node")
"""Tables within which there may be a table `correspondent`."""
ROLES = {table: Role(table.replace("_", "-")) for table in TABLES}
FILE = "/etc/mip6lab/n.toml"
CORRESPONDENT = CorrespondentConfig(
    route_optimisation=False,
    refused=(IPv6Network("2001:db8:bad::/48"),),
    max_bindings=1,
    evict=True,
    max_binding_lifetime=4,
    nonce_lifetime=8.0,
)


_OF_EVERY_NODE = ("name", "role", "plane", "journal", "control", "state", "encapsulation_limit")


def written(table: str, **changes: str | None) -> str:
    """Write the file of a role; None leaves a key of the table, or `name`, `role`, `journal`, `control`, out."""
    top = NODE | {"role": f'"{ROLES[table]}"'}
    inside = dict(TABLES[table])
    for key, value in changes.items():
        place = top if key in _OF_EVERY_NODE else inside
        place.pop(key, None)
        if value is not None:
            place[key] = value
    return "\n".join([*_lines(top), f"[{table}]", *_lines(inside)])


def _lines(entries: dict[str, str]) -> list[str]:
    return [f"{key} = {value}" for key, value in entries.items()]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    return str(caught.value)


def test_a_home_agent_s_file_is_read() -> None:
    assert parse(written("home_agent", control='"/run/ha.sock"'), FILE) == NodeConfig(
        name="n",
        role=Role.HOME_AGENT,
        control=Path("/run/ha.sock"),
        home_agent=HomeAgentConfig(
            interface="eth1",
            address=IPv6Address("2001:db8:1::1"),
            home_prefixes=(IPv6Network("2001:db8:1::/64"),),
            max_binding_lifetime=600,
            refresh_advice=300,
            allowed=(IPv6Address("2001:db8:1::100"),),
            refused=(IPv6Network("2001:db8:1::bad/128"),),
            refused_care_of=(IPv6Network("2001:db8:bad::/48"),),
            max_bindings=1000,
            delete_timeout=5.0,
            preference=65535,
            dhcpv6_servers=(IPv6Address("2001:db8:1::2"), IPv6Address("2001:db8:d::547")),
        ),
    )


def test_a_mobile_node_s_file_is_read() -> None:
    config = parse(written("mobile_node"), FILE)
    assert config.mobile_node == MobileNodeConfig(
        interface="wlan0",
        home_address=IPv6Address("2001:db8:1::100"),
        home_prefix=IPv6Network("2001:db8:1::/64"),
        further_home_addresses=(IPv6Address("2001:db8:1::101"), IPv6Address("2001:db8:2::100")),
        home_agent=IPv6Address("2001:db8:1::1"),
        home_agent_attempts=1,
        lifetime=120,
        dad=DadMode.STANDARD,
        first_bindack_timeout=2.5,
        initial_sequence=65535,
        route_optimisation=False,
        optimised=(IPv6Network("2001:db8:c::/64"),),
        not_optimised=(IPv6Network("2001:db8:c::53/128"),),
        binding_lifetime=416,
        acknowledged_registrations=False,
        dhcpv6=True,
    )
    assert config.interfaces == ("wlan0",)


def test_a_correspondent_s_file_is_read() -> None:
    config = parse(written("correspondent"), FILE)
    assert config.correspondent == CORRESPONDENT
    assert config.interfaces == ()


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize(("table", "key"), [("home_agent", "dhcpv6_servers"), ("mobile_node", "dhcpv6")])
def test_dhcpv6_stays_out_of_tunnels_unless_it_is_asked_for(table: str, key: str) -> None:
    assert parse(written(table), FILE).tunnels_dhcpv6
    assert not parse(written(table, **{key: None}), FILE).tunnels_dhcpv6
    assert not parse(written("correspondent"), FILE).tunnels_dhcpv6


@pytest.mark.parametrize("table", NESTED)
def test_every_role_is_a_correspondent_too(table: str) -> None:
    inside = "\n".join([f"\n[{table}.correspondent]", *_lines(TABLES["correspondent"])])
    assert getattr(parse(written(table) + inside, FILE), table).correspondent == CORRESPONDENT
    assert getattr(parse(written(table), FILE), table).correspondent == CorrespondentConfig()


@pytest.mark.parametrize(("table", "key"), [(table, key) for table in TABLES for key in TABLES[table]])
def test_a_key_that_has_a_default_may_be_missing_and_no_other(table: str, key: str) -> None:
    needed = {"interface", "address", "home_prefixes", "home_address", "home_prefix"}
    text = written(table, **{key: None})
    if key in needed and table != "correspondent":
        assert refusal(text) == f"{FILE}: {table}.{key}: Field required"
    else:
        parse(text, FILE)


@pytest.mark.parametrize("key", ["name", "role"])
def test_name_and_role_are_needed(key: str) -> None:
    assert refusal(written("correspondent", **{key: None})) == f"{FILE}: {key}: Field required"


@pytest.mark.parametrize(("table", "key"), [(table, key) for table in TABLES for key in TABLES[table]])
@pytest.mark.parametrize("value", ["[[]]", "-inf", "1979-05-27", "{ a = 1 }", "''"], ids=str)
def test_a_value_of_another_type_is_refused_with_its_key(table: str, key: str, value: str) -> None:
    assert refusal(written(table, **{key: value})).startswith(f"{FILE}: {table}.{key}")


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        pytest.param("mobile_node", {"lifetime": '"60"'}, id="text for an integer"),
        pytest.param("mobile_node", {"lifetime": "60.0"}, id="fraction for an integer"),
        pytest.param("mobile_node", {"first_bindack_timeout": '"1.5"'}, id="text for a number"),
        pytest.param("mobile_node", {"home_agent": "1"}, id="integer for an address"),
        pytest.param("mobile_node", {"home_prefix": "1"}, id="integer for a prefix"),
        pytest.param("mobile_node", {"home_prefix": '"2001:db8:1::1/64"'}, id="prefix with host bits"),
        pytest.param("mobile_node", {"home_agent": '"192.0.2.1"'}, id="IPv4"),
        pytest.param("mobile_node", {"dad": '"off"'}, id="unknown word"),
        pytest.param("home_agent", {"home_prefixes": '"2001:db8:1::/64"'}, id="text for a list"),
        pytest.param("home_agent", {"allowed": '"2001:db8:1::100"'}, id="text for a list that may be missing"),
        pytest.param("correspondent", {"name": "1"}, id="integer for a name"),
        pytest.param("correspondent", {"journal": "1"}, id="integer for a file"),
        pytest.param("correspondent", {"control": "1"}, id="integer for a path"),
        pytest.param("correspondent", {"plane": '"none"'}, id="unknown plane"),
        pytest.param("correspondent", {"role": '"router"'}, id="unknown role"),
    ],
)
def test_nothing_is_taken_for_what_it_is_not(table: str, changes: dict[str, str]) -> None:
    ((key, value),) = changes.items()
    where = f"{table}.{key}" if key in TABLES[table] else key
    assert refusal(written(table, **changes)).startswith(f"{FILE}: {where}: "), value


def test_a_wrong_value_is_shown() -> None:
    assert refusal(written("mobile_node", lifetime='"long"')) == (
        f"{FILE}: mobile_node.lifetime: Input should be a valid integer (given: 'long')"
    )
    assert refusal(written("home_agent", home_prefixes='["2001:db8:1::/64", "home"]')).startswith(
        f"{FILE}: home_agent.home_prefixes.1: "
    )


@pytest.mark.parametrize(
    ("table", "changes", "reason"),
    [
        pytest.param("mobile_node", {"lifetime": "0"}, "not a multiple of 4", id="no lifetime"),
        pytest.param("mobile_node", {"lifetime": "62"}, "not a multiple of 4", id="lifetime between units"),
        pytest.param("mobile_node", {"lifetime": "262144"}, "to 262140 seconds", id="lifetime beyond 16 bits"),
        pytest.param("home_agent", {"preference": "-1"}, "from 0 to 65535", id="preference below 0"),
        pytest.param("home_agent", {"preference": "65536"}, "from 0 to 65535", id="preference beyond 16 bits"),
        pytest.param("mobile_node", {"home_agent_attempts": "0"}, "not less than 1", id="no attempt"),
        pytest.param("mobile_node", {"initial_sequence": "-1"}, "from 0 to 65535", id="sequence below 0"),
        pytest.param("mobile_node", {"initial_sequence": "65536"}, "from 0 to 65535", id="sequence beyond 16 bits"),
        pytest.param("mobile_node", {"first_bindack_timeout": "0"}, "more than 0", id="no patience"),
        pytest.param("mobile_node", {"first_bindack_timeout": "nan"}, "more than 0", id="no number"),
        pytest.param("mobile_node", {"first_bindack_timeout": "inf"}, "at most 32", id="endless patience"),
        pytest.param("mobile_node", {"home_address": '"2001:db8:2::1"'}, "not in home_prefix", id="foreign home"),
        pytest.param(
            "mobile_node", {"further_home_addresses": '["fe80::1"]'}, "not a unicast routable", id="local home"
        ),
        pytest.param(
            "mobile_node",
            {"further_home_addresses": '["2001:db8:1::100"]'},
            "named elsewhere",
            id="the home address twice",
        ),
        pytest.param(
            "mobile_node",
            {"further_home_addresses": '["2001:db8:1::101", "2001:db8:1::101"]'},
            "2001:db8:1::101 is named elsewhere",
            id="a further home address twice",
        ),
        pytest.param(
            "mobile_node", {"further_home_addresses": '["2001:db8:1::1"]'}, "elsewhere", id="of its home agent"
        ),
        pytest.param("mobile_node", {"home_prefix": '"2001:db8::/32"'}, "64 bits", id="home prefix too short"),
        pytest.param("mobile_node", {"home_agent": '"ff02::1"'}, "not a unicast routable", id="multicast agent"),
        pytest.param("home_agent", {"address": '"fe80::1"'}, "not a unicast routable", id="link-local agent"),
        pytest.param("home_agent", {"home_prefixes": "[]"}, "at least one", id="no home prefix"),
        pytest.param("home_agent", {"allowed": '["2001:db8:2::1"]'}, "none of the home_prefixes", id="foreign guest"),
        pytest.param("home_agent", {"refused": '["2001:db8:2::/64"]'}, "holds no address of", id="foreign refusal"),
        pytest.param("home_agent", {"max_binding_lifetime": "3"}, "at least 4", id="lifetime below a unit"),
        pytest.param("home_agent", {"refresh_advice": "6"}, "not a multiple of 4", id="advice between units"),
        pytest.param("home_agent", {"max_bindings": "-1"}, "not less than 0", id="fewer than no bindings"),
        pytest.param("home_agent", {"delete_timeout": "0"}, "more than 0", id="nothing kept"),
        pytest.param("home_agent", {"delete_timeout": "10.5"}, "at most 10", id="kept too long"),
        pytest.param("home_agent", {"delete_timeout": "nan"}, "more than 0", id="kept for no number"),
        pytest.param("home_agent", {"dhcpv6_servers": '["ff05::1:3"]'}, "not a unicast routable", id="all servers"),
        pytest.param("home_agent", {"dhcpv6_servers": '["2001:db8:1::1"]'}, "named elsewhere", id="itself a server"),
        pytest.param(
            "home_agent", {"dhcpv6_servers": '["2001:db8::2", "2001:db8::2"]'}, "named elsewhere", id="a server twice"
        ),
        *(
            pytest.param(table, {"interface": name}, "not the name of an interface", id=f"interface {name}")
            for table in ("home_agent", "mobile_node")
            for name in ("''", "'.'", "'..'", "'../all'", "'a b'", "'eth0:1'", "'sixteen-letters-'", "'ñandúñandúñ'")
        ),
        pytest.param("mobile_node", {"binding_lifetime": "0"}, "4 to 420 seconds", id="no binding's lifetime"),
        pytest.param("mobile_node", {"binding_lifetime": "418"}, "not a multiple of 4", id="binding between units"),
        pytest.param("mobile_node", {"binding_lifetime": "424"}, "4 to 420 seconds", id="binding beyond the limit"),
        pytest.param("correspondent", {"max_binding_lifetime": "0"}, "4 to 420 seconds", id="nothing granted"),
        pytest.param("correspondent", {"max_binding_lifetime": "6"}, "not a multiple of 4", id="grant between units"),
        pytest.param("correspondent", {"nonce_lifetime": "7.9"}, "from 8 to 240 seconds", id="nonces too short"),
        pytest.param("correspondent", {"nonce_lifetime": "240.1"}, "from 8 to 240 seconds", id="nonces too long"),
        pytest.param("correspondent", {"max_binding_lifetime": "424"}, "4 to 420 seconds", id="grant beyond the limit"),
        pytest.param("correspondent", {"max_bindings": "0"}, "not less than 1", id="no bindings"),
        pytest.param("correspondent", {"name": "''"}, "needs a name", id="no name"),
        pytest.param("correspondent", {"control": "''"}, "not the path", id="no path"),
        pytest.param("correspondent", {"journal": "''"}, "the path of a file", id="no file"),
        pytest.param("correspondent", {"encapsulation_limit": "-1"}, "from 0 to 255", id="limit below 0"),
        pytest.param("correspondent", {"encapsulation_limit": "256"}, "from 0 to 255", id="limit beyond 8 bits"),
        pytest.param("home_agent", {"state": "'/'"}, "state: '/' is not the path of a file", id="no file for a state"),
        pytest.param(
            "mobile_node", {"state": "'a'"}, "state: only a home agent has a state", id="state of another role"
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(table: str, changes: dict[str, str], reason: str) -> None:
    ((key, _),) = changes.items()
    where = f"{table}.{key}" if key in TABLES[table] else key
    said = refusal(written(table, **changes))
    assert said.startswith(f"{FILE}: {where}: ")
    assert reason in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            written("home_agent", max_binding="1"),
            "home_agent.max_binding: unknown key; did you mean home_agent.max_bind",
        ),
        (
            written("mobile_node", lifetimes="60"),
            "mobile_node.lifetimes: unknown key; did you mean mobile_node.lifetime?",
        ),
        (written("mobile_node", zzz="60"), "mobile_node.zzz: unknown key; known here: interface, home_address,"),
        ("nam = 'x'\n" + written("correspondent", name=None), "nam: unknown key; did you mean name?"),
        (written("correspondent").replace("[corr", "[cor"), "corespondent: unknown key; did you mean correspondent?"),
    ],
)
def test_an_unknown_key_is_refused_with_a_suggestion(text: str, said: str) -> None:
    assert refusal(text).startswith(f"{FILE}: {said}")


@pytest.mark.parametrize("table", NESTED)
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("route_optimization = false", "route_optimization: unknown key; did you mean {}.route_optimisation?"),
        ("zzz = 1", "zzz: unknown key; known here: route_optimisation, refused,"),
        ("max_bindings = 0", "max_bindings: not less than 1"),
        ("max_binding_lifetime = 424", "max_binding_lifetime: not a multiple of 4 from 4 to 420 seconds"),
        ("evict = 1", "evict: "),
    ],
)
def test_a_table_within_a_table_is_looked_at_as_well(table: str, line: str, said: str) -> None:
    inside = f"{table}.correspondent"
    assert refusal(f"{written(table)}\n[{inside}]\n{line}").startswith(f"{FILE}: {inside}.{said.format(inside)}")


@pytest.mark.parametrize("table", TABLES)
def test_the_table_of_the_role_is_needed_and_no_other(table: str) -> None:
    without = written(table).partition(f"[{table}]")[0]
    said = f"{FILE}: role: {ROLES[table]} needs the table [{table}] and no other role's"
    assert refusal(without) == said
    other = "home_agent" if table != "home_agent" else "mobile_node"
    both = written(table) + f"\n[{other}]\n" + "\n".join(_lines(TABLES[other]))
    assert refusal(both) == said


@pytest.mark.parametrize("value", ["5", "'x'", "[]", "[{}]"])
def test_a_table_must_be_a_table(value: str) -> None:
    assert refusal(f"name = 'n'\nrole = 'home-agent'\nhome_agent = {value}").startswith(f"{FILE}: home_agent: ")


@pytest.mark.parametrize(
    "text",
    ["name", "name = ", "[home_agent", "name = 'a'\nname = 'b'", "\0", "a = 1" + "0" * 5000, "a = " + "[" * 20000],
    ids=["key alone", "no value", "open table", "twice", "NUL", "endless number", "endless nesting"],
)
def test_what_is_not_toml_is_refused(text: str) -> None:
    assert refusal(text).startswith(f"{FILE}: not TOML: ")


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, binary):
        with pytest.raises(ConfigError, match=rf"^{path}: cannot be read: "):
            load(path)


def test_a_file_is_named_as_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "n.toml"
    path.write_text(written("correspondent", name=None), encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^{path}: name: "):
        load(path)
    path.write_text(written("correspondent"), encoding="utf-8")
    assert load(path).name == "n"


# Garbage

_SCALARS = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.text(max_size=20),
    st.dates(),
    st.sampled_from(["2001:db8:1::1", "2001:db8:1::/64", "::", "eth0", "home-agent", "optimistic", "-"]),
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
_KEYS = st.sampled_from(
    [*NODE, "role", "plane", "control", *TABLES, *(key for table in TABLES.values() for key in table)]
)


def toml(value: Any) -> str:
    """Write a value as TOML."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return "{" + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + "}"
        case _:
            return str(value)


def complaint(text: str) -> str:
    """Give what is said of a text; empty if it is right. Whatever else is raised fails the test."""
    try:
        parse(text, FILE)
    except ConfigError as error:
        return str(error)
    return ""


@given(st.text())
@example("name = 'n'\nrole = 'correspondent'\ncorrespondent = {}")
def test_no_text_raises_anything_else(text: str) -> None:
    said = complaint(text)
    assert said == "" or said.startswith(f"{FILE}: ")


@given(st.dictionaries(_KEYS, st.one_of(_VALUES, st.dictionaries(_KEYS, _VALUES, max_size=6)), max_size=6))
def test_no_table_raises_anything_else(tables: dict[str, Any]) -> None:
    said = complaint("\n".join(f"{key} = {toml(value)}" for key, value in tables.items()))
    assert said == "" or said.startswith(f"{FILE}: ")
    assert "not TOML" not in said


@given(st.sampled_from([*TABLES]), st.data())
def test_no_change_of_a_right_file_raises_anything_else(table: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([*TABLES[table], "name", "role", "journal", "control", "state"]))
    said = complaint(written(table, **{key: toml(data.draw(_VALUES))}))
    # A value may be right by itself and yet not fit the other key, which is then named.
    named = {"home_prefixes": ["allowed", "refused"], "home_prefix": ["home_address"]}.get(key, [])
    places = [f"{FILE}: {table}.{each}" for each in (key, *named)] if key in TABLES[table] else [f"{FILE}: "]
    assert said == "" or any(said.startswith(place) for place in places)
