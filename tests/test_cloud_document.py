"""What docs/CLOUD.md shows can be typed and loads."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from autodub.dubbing.prices import load as load_prices
from autodub.infra import price_list, settings
from autodub.pipeline.standby import _DONE_BY

PAGE = Path(__file__).resolve().parents[1] / "docs" / "CLOUD.md"


def examples() -> dict[str, str]:
    """The TOML blocks of the page by the file that their first line names."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n# (\w+)\.toml(.*?)```", text, flags=re.DOTALL)
    return {name: f"# {name}{rest}" for name, rest in blocks}


def test_the_settings_file_loads(tmp_path: Path) -> None:
    """Every line of the example means something, and becomes the setting it stands for."""
    path = tmp_path / "config.toml"
    path.write_text(examples()["config"], encoding="utf-8")
    found = settings.load(environ={}, config_file=path)
    assert set(found.secret_values()) == set(settings.SECRETS) - {"HF_TOKEN"}
    assert found.endpoints == {"OPENAI_BASE_URL": "http://127.0.0.1:11434/v1"}
    assert found.sites == ("youtube.com", "youtu.be", "vimeo.com")
    assert (found.longest, found.largest, found.height) == (7200, 4_000_000_000, 1080)
    assert found.prices == Path("/srv/autodub/prices.toml")
    assert found.data_dir == Path("/srv/autodub")


def test_the_price_table_loads(tmp_path: Path) -> None:
    """The example's rows go before the built-in ones, and a model of one's own has a price."""
    path = tmp_path / "prices.toml"
    path.write_text(examples()["prices"], encoding="utf-8")
    table = price_list.table(path)
    spoken = {"characters": 1000.0}
    assert table.cost("synthesizer.elevenlabs", "eleven_multilingual_v2", spoken) == Decimal("0.08")
    asked = {"tokens_in": 900.0, "tokens_out": 90.0}
    assert table.cost("translator.openai", "qwen3:14b", asked) == 0
    assert price_list.builtin().cost("translator.openai", "qwen3:14b", asked) is None
    assert load_prices(examples()["prices"], is_own=True).rows


def test_every_setting_is_named() -> None:
    """Each key, address and download setting has its place on the page."""
    text = PAGE.read_text(encoding="utf-8")
    for name in (*settings.SECRETS, *settings.ENDPOINTS):
        assert f"`{name}`" in text
    for name in settings._DOWNLOADS:
        assert f"`{name}`" in text
    assert {"transcriber", "translator", "synthesizer"} == set(_DONE_BY)
