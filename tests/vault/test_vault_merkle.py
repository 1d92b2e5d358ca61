"""The tree of RFC 6962: known roots, and proofs that hold for what is true and for nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.vault import merkle

#: The leaves and roots that implementations of Certificate Transparency are tested with.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
SIZES = st.integers(1, 70)


def hashes(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(n).encode()) for n in range(size)]


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert merkle.root(size, merkle.lookup(leaves)).hex() == ROOTS[size]
    assert merkle.root(0, merkle.lookup([])) == merkle.EMPTY


@given(SIZES)
def test_appending_leaf_by_leaf_gives_the_same_nodes(size: int) -> None:
    nodes: dict[tuple[int, int], bytes] = {}
    leaves = hashes(size)
    for index, leaf in enumerate(leaves):
        for level, place, digest in merkle.added(index, leaf, lambda a, b: nodes[a, b]):
            assert (level, place) not in nodes
            nodes[level, place] = digest
        known = merkle.lookup(leaves[: index + 1])
        assert merkle.root(index + 1, lambda a, b: nodes[a, b]) == merkle.root(index + 1, known)


@given(SIZES, st.data())
def test_an_inclusion_proof_holds_for_its_leaf_place_and_root_only(size: int, data: st.DataObject) -> None:
    leaves, index = hashes(size), data.draw(st.integers(0, size - 1))
    node = merkle.lookup(leaves)
    path, root = merkle.inclusion(index, size, node), merkle.root(size, node)
    assert merkle.includes(index, size, leaves[index], path, root)
    assert not merkle.includes(index, size, merkle.leaf_hash(b"another"), path, root)
    assert not merkle.includes(index, size, leaves[index], path, merkle.leaf_hash(b"another"))
    assert not merkle.includes(index, size, leaves[index], [*path, root], root)
    for other in range(size):
        assert merkle.includes(other, size, leaves[index], path, root) == (other == index)
    if path:
        changed = list(path)
        step = data.draw(st.integers(0, len(path) - 1))
        changed[step] = bytes(32)
        assert not merkle.includes(index, size, leaves[index], changed, root)
        assert not merkle.includes(index, size, leaves[index], path[:-1], root)


@given(SIZES, st.data())
def test_a_consistency_proof_holds_for_a_true_beginning_only(size: int, data: st.DataObject) -> None:
    leaves, first = hashes(size), data.draw(st.integers(1, size))
    node = merkle.lookup(leaves)
    old, new, proof = merkle.root(first, node), merkle.root(size, node), merkle.consistency(first, size, node)
    assert merkle.extends(first, size, old, new, proof)
    assert not merkle.extends(first, size, bytes(32), new, proof)
    assert not merkle.extends(first, size, old, bytes(32), proof)
    rewritten = merkle.lookup([merkle.leaf_hash(b"rewritten"), *leaves[1:]])
    assert not merkle.extends(first, size, merkle.root(first, rewritten), new, proof)
    assert not merkle.extends(first, size, old, merkle.root(size, rewritten), proof)


def test_proofs_of_what_is_not_there_are_refused() -> None:
    node = merkle.lookup(hashes(3))
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.inclusion(3, 3, node)
    with pytest.raises(ValueError, match="beginning"):
        merkle.consistency(4, 3, node)
    assert not merkle.includes(3, 3, hashes(1)[0], [], bytes(32))
    assert not merkle.extends(4, 3, bytes(32), bytes(32), [])
