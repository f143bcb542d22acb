"""Which organisations took over from which, out of the directory."""

from __future__ import annotations

from soc.model.policy import Policy, PolicyKind
from soc.service.merges import KnownMerges
from soc.settings import Settings
from soc.store.sqlite import open_stores


def test_merges_are_known_from_the_moment_that_a_part_has_ended(tmp_path):
    policies = open_stores(tmp_path).policies
    merges = KnownMerges(policies, Settings(data_dir=tmp_path))
    merges.load()
    assert merges.of("hungyen") == ()
    ended = {
        "code": "thaibinh", "name": "Thái Bình", "kind": "province", "valid_to": "2025-06-30", "successor": "hungyen",
    }  # fmt: skip
    policies.put(Policy(PolicyKind.ORGANISATION, "thaibinh", 1, ended, "lan", 0, "merged"))
    policies.put(Policy(PolicyKind.ORGANISATION, "odd", 1, {"code": 7}, "lan", 0, "of another version"))
    merges.load()
    assert merges.of("hungyen") == [(1_751_302_800_000, "thaibinh")], "2025-07-01T00:00+07:00"
    assert merges.of("thaibinh") == ()
