"""The registry finds platforms by walking the folder, and says what to write when something is not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlt_sources import platforms, registry
from dlt_sources.errors import ConfigurationError

PACKAGES = sorted(path.parent.name for path in Path(platforms.__file__).parent.glob("*/__init__.py"))


def test_every_package_in_the_folder_is_a_platform_of_that_name() -> None:
    assert [platform.name for platform in registry.all_platforms()] == PACKAGES
    assert all(registry.platform(name).name == name for name in PACKAGES)


def test_an_unknown_platform_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.platform("mailchump")
    assert "'mailchump'" in str(caught.value)
    assert all(name in str(caught.value) for name in PACKAGES)


def test_an_account_that_is_not_configured_is_answered_with_the_section_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"\[sources\.klaviyo\.second\]"):
        registry.account("klaviyo", "second")


def test_a_configured_account_is_found_although_another_platform_lacks_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text('[sources.klaviyo.main]\napi_key = "k"\n[sources.twilio.main]\n')
    monkeypatch.setenv("AUDIENCES_HOME", str(tmp_path))
    assert registry.account("klaviyo", "main")["api_key"] == "k"
    with pytest.raises(ConfigurationError, match="twilio"):
        registry.configured()


def test_finding_platforms_imports_title_pages_only() -> None:
    """The receiver and the speed lane start by this; they must not pay for dlt, pandas or a client."""
    code = (
        "import sys; from dlt_sources import registry; found = registry.all_platforms(); assert found; "
        "print([name for name in sys.modules if name.partition('.')[0] in ('dlt', 'pandas', 'requests') "
        "or name.rpartition('.')[2] in ('client', 'source', 'webhook', 'destination') and name.startswith('dlt_so')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"
