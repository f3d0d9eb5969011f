//! The Merkle tree of the log, as RFC 6962 builds it: leaves and inner nodes are hashed with
//! different first bytes, and a tree that is not full is split at the largest power of two.

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

/// A hash of the tree.
pub type Hash = [u8; 32];

/// The hash of a leaf.
pub fn leaf(data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(data);
    hasher.finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([1]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The roots of the full trees that a log of some size is made of, largest first. They are all
/// that has to be known to add a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Peaks {
    size: u64,
    hashes: Vec<Hash>,
}

impl Peaks {
    /// Peaks as they were written down; `None` if a log of this size has another number of them.
    pub fn read(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() as u32 == size.count_ones()).then_some(Self { size, hashes })
    }
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut new = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.hashes.pop() {
                new = node(&left, &new);
            }
            size >>= 1;
        }
        self.hashes.push(new);
        self.size += 1;
    }
    /// The root over all leaves; of no leaves, the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut from_right = self.hashes.iter().rev();
        match from_right.next() {
            Some(last) => from_right.fold(*last, |right, left| node(left, &right)),
            None => Sha256::digest([]).into(),
        }
    }
    /// The peaks.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut peaks = Peaks::default();
    leaves.iter().for_each(|l| peaks.push(*l));
    peaks.root()
}

/// The way from leaf `index` to the root: the neighbours' hashes, lowest first.
pub fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 || index >= leaves.len() {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    let (mut out, neighbour) = if index < split {
        (path(index, left), root(right))
    } else {
        (path(index - split, right), root(left))
    };
    out.push(neighbour);
    out
}

/// The root that leaf `index` of `size` leads to by `path`; `None` if the path has another length
/// (RFC 9162, 2.1.3.2).
pub fn climb(index: u64, size: u64, leaf: Hash, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for neighbour in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(neighbour, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, neighbour);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// As it is written down.
pub fn digest(hash: &Hash) -> Digest {
    Digest::of_hash(hash)
}

/// Reads what [`digest`] wrote.
pub fn hash(text: &str) -> Option<Hash> {
    let digest = Digest::parse(text)?;
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digest.hex().as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf(&[i as u8, (i >> 8) as u8])).collect()
    }

    /// The definition of RFC 6962, 2.1, word for word.
    fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one,
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn peaks_give_the_root_of_the_definition() {
        for n in 0..70 {
            let leaves = leaves(n);
            assert_eq!(root(&leaves), by_definition(&leaves), "{n}");
            let mut peaks = Peaks::default();
            leaves.iter().for_each(|l| peaks.push(*l));
            assert_eq!(
                Peaks::read(n as u64, peaks.hashes().to_vec()),
                Some(peaks.clone())
            );
            assert_eq!(
                Peaks::read(n as u64 + 1, peaks.hashes().to_vec()).is_some(),
                (n as u64 + 1).count_ones() as usize == peaks.hashes().len()
            );
        }
    }

    proptest! {
        #[test]
        fn t23_a_path_proves_its_own_leaf_alone(n in 1_usize..200, pick in 0_usize..200, other in 0_usize..200) {
            let leaves = leaves(n);
            let (index, other) = (pick % n, other % n);
            let way = path(index, &leaves);
            let root = root(&leaves);
            prop_assert_eq!(climb(index as u64, n as u64, leaves[index], &way), Some(root));
            if other != index {
                prop_assert_ne!(climb(other as u64, n as u64, leaves[index], &way), Some(root));
                prop_assert_ne!(climb(index as u64, n as u64, leaves[other], &way), Some(root));
            }
            if let Some((_, shorter)) = way.split_last() {
                prop_assert_ne!(climb(index as u64, n as u64, leaves[index], shorter), Some(root));
            }
            let mut longer = way.clone();
            longer.push([7; 32]);
            prop_assert_ne!(climb(index as u64, n as u64, leaves[index], &longer), Some(root));
            prop_assert_eq!(climb(n as u64, n as u64, leaves[index], &way), None);
            prop_assert_eq!(hash(digest(&root).as_str()), Some(root));
        }
    }
}
