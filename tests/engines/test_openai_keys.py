"""Keys of OpenAI: what the translator and the moderator refuse to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from autodub.engines import registry
from autodub.engines.roles import EngineContext
from autodub.model.errors import Refused


@pytest.mark.parametrize("role", ["translator", "moderator"])
@pytest.mark.parametrize(("key", "said"), [("", "without a key"), ("sk-é\nx", "characters that no key has")])
def test_a_key_that_cannot_be_one_is_refused_before_anybody_is_asked(
    role: str, key: str, said: str, tmp_path: Path
) -> None:
    """Both open their client in one place, which names the setting and never shows the key."""
    engine = registry.build(role, "openai", {}, EngineContext({"OPENAI_API_KEY": key}, tmp_path))
    with pytest.raises(Refused, match=said) as caught:
        engine._sdk()
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "sk-" not in str(caught.value)
