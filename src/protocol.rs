//! The lines on which the protocols rest, one by one, so that a model check can leave one out
//! and show that it notices (`make check-models`).
//!
//! In any other build every line is kept, and asking costs nothing.

use crate::sync::Ordering;

/// A line of a protocol that a model can do without, to its own undoing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// `version`: who waits for a node waits until no change is under way.
    ReadersWaitForChanges,
    /// `version`: the fence before a version is looked at again.
    FenceBeforeValidation,
    /// `version`: the fence after the lock is taken.
    FenceAfterLock,
    /// `version`: the fence after a node is marked dirty.
    FenceAfterDirty,
    /// `version`: letting go a lock releases what its owner stored.
    UnlockReleases,
    /// `leaf`: a new permutation makes the count grow.
    PermutationCounts,
    /// `leaf`: the store of a permutation releases the slots it names.
    PermutationReleases,
    /// `leaf`: the store of a value releases what its writer did before.
    ValueReleases,
    /// `leaf`: a group becomes a link under DIRTY.
    GroupIsDirty,
    /// `leaf`: a bag is taken under DIRTY.
    BagIsDirty,
    /// `leaf`: layers that move to another leaf get it as their parent.
    MovedLayersKnowTheirParent,
    /// `internode`: a child gets its parent when that is whole.
    FilledBeforeParent,
    /// `suffix`: a record is written before its offset is stored.
    RecordBeforeOffset,
    /// `descend`: an internode is validated after its child's version was taken.
    ParentIsValidated,
    /// `descend`: a layer's root must be a living one.
    RootIsLiving,
    /// `descend`: a leaf that was deleted is no place to write to.
    WriterLeavesDeleted,
    /// `descend`: a reader goes to the right after a leaf that split.
    ReaderMovesRight,
    /// `descend`: a writer goes to the right after a leaf that split.
    WriterMovesRight,
    /// `split`: the leaf is dirty.
    SplitLeafIsDirty,
    /// `split`: ancestors that change are dirty.
    SplitParentsAreDirty,
    /// `collapse`: a remove that empties a leaf keeps the lock until it is deleted.
    EmptyLeafStaysLocked,
    /// `collapse`: ancestors are dirty.
    CollapseIsDirty,
    /// `collapse`: the boundary before a first child moves.
    SeparatorMoves,
    /// `collapse`: what leaves the tree is deleted.
    DeletedSaysSo,
    /// `merge`: the leaf before, which takes the entries, is dirty.
    MergeIsDirty,
    /// `walk`: in reverse, a leaf that split is entered from the right.
    ReverseLooksRight,
    /// `walk`: entries behind the boundary are passed over.
    BoundaryIsKept,
    /// `cursor`: a step is undisturbed.
    StepIsUndisturbed,
    /// `swap`: what is cleared away has the tomb above it.
    ClearedGoesUnderTomb,
    /// `swap`: the leaf that a loaded tree displaces is deleted.
    DisplacedIsDeleted,
    /// `held`: an empty leaf that a split made in vain goes again.
    UnusedRoomIsGivenBack,
    /// `held`: a leaf is held only if it was not cleared away before it was locked.
    HoldLooksForClears,
    /// `held`: finishing changes nothing in a tree that was cleared away.
    FinishLooksForClears,
    /// `observe`: a hold that was overtaken says so when the new root is there.
    OvertakenWaitsForTheEnd,
    /// `observe`: under a hold that was overtaken, nothing validates.
    ValidationKnowsTheHold,
    /// `observation`: a leaf that is locked may have changed already.
    LockedIsNotTheSame,
    /// `observation`: a fence comes before a look at what others change.
    FenceBeforeCompare,
    /// `observe`: a clearing is counted before it is done.
    ClearBeginsBefore,
    /// `observe`: and again after.
    ClearEndsAfter,
    /// `keys`: a key that was counted for another era than its leaf's is counted anew.
    KeysAreRecounted,
    /// `slots`: the fence between counting a guard and making it.
    GuardCountedBeforeActive,
    /// `slots`: a census reads how many guards have begun before whether one is there.
    BegunCountedBeforeLiving,
    /// `flush`: what has begun meanwhile counts.
    ArrivalsCount,
    /// `node`: a node says that it is a root before a word leads to it.
    RootSaysSo,
    /// `descend`: a leaf that was deleted is no place to read.
    ReaderLeavesDeleted,
    /// `descend`: a writer that goes to the right holds no lock while it waits.
    WriterWaitsAlone,
    /// `lock`: a parent that was waited for is looked up again.
    ParentIsStill,
    /// `lock`: and the leaf before.
    PrevIsStill,
    /// `merge`: a leaf that was deleted meanwhile is not merged.
    MergedIsAlive,
    /// `collapse`: a root's only child takes its place if it was not deleted.
    PromotedIsAlive,
    /// `collapse`: and if it is still the only one.
    LoneRootIsStill,
    /// `collapse`: a leaf is unlinked before the one before it is let go.
    UnlinkedUnderLock,
    /// `swap`: what is cleared away is the root.
    ClearedIsTheRoot,
    /// `swap`: what a loaded tree displaces is the root.
    DisplacedIsTheRoot,
    /// `swap`: and empty.
    DisplacedIsEmpty,
    /// `walk`: the end that a cursor comes to is one of a moment.
    EndIsUndisturbed,
    /// `walk`: a cursor goes on in the tree that there is.
    CursorKnowsItsRoot,
    /// `observe`: clearings are counted before the root is loaded.
    IncarnationBeforeRoot,
    /// `observe`: a leaf that this thread holds has not changed.
    OwnHeldIsTheSame,
    /// `observe`: one that another holds may have, for a thread that must not wait.
    HeldIsNotTheSame,
    /// `walk`: a cursor arrives at a leaf that has not changed since it was read.
    ArrivalIsCurrent,
    /// `walk`: a leaf that was deleted is not read.
    WalkLeavesDeleted,
    /// `batch`: as `RootIsLiving`.
    BatchRootIsLiving,
    /// `batch`: as `ParentIsValidated`.
    BatchParentIsValidated,
    /// `version`: the count goes on from node to node in one place.
    CountGoesOn,
    /// `version`: who has a version has what its owner stored before.
    VersionAcquires,
    /// `version`: and so has who takes the lock.
    LockAcquires,
    /// `version`: the fence after a node is settled.
    FenceAfterPublishedVersion,
    /// `leaf`: who has a permutation has the slots that it names.
    PermutationAcquires,
    /// `observe`: who counts a clearing finds the root that it left.
    EndedAcquires,
    /// `reclaim`: a node is unlinked before it is retired.
    #[cfg(all(test, loom))]
    UnlinkedBeforeRetired,
    /// `reclaim`: a guard is entered before the first pointer is loaded.
    #[cfg(all(test, loom))]
    GuardBeforePointer,
}

impl Line {
    /// Whether the line is there.
    #[inline(always)]
    pub(crate) fn is_enabled(self) -> bool {
        #[cfg(all(test, any(loom, shuttle)))]
        return models::is_enabled(self);
        #[cfg(not(all(test, any(loom, shuttle))))]
        true
    }

    /// The order of the load that the line is.
    #[inline(always)]
    pub(crate) fn acquire(self) -> Ordering {
        if self.is_enabled() {
            Ordering::Acquire
        } else {
            Ordering::Relaxed
        }
    }

    /// The order of the store that the line is.
    #[inline(always)]
    pub(crate) fn release(self) -> Ordering {
        if self.is_enabled() {
            Ordering::Release
        } else {
            Ordering::Relaxed
        }
    }
}

#[cfg(all(test, any(loom, shuttle)))]
pub(crate) mod models {
    use std::any::type_name_of_val;
    use std::env;
    use std::process::Command;
    use std::sync::OnceLock;

    use super::Line;

    /// The line that this process does without.
    const LEFT_OUT: &str = "MASSTREE_LEFT_OUT";

    fn left_out() -> Option<&'static str> {
        static LINE: OnceLock<Option<String>> = OnceLock::new();
        LINE.get_or_init(|| env::var(LEFT_OUT).ok()).as_deref()
    }

    pub(super) fn is_enabled(line: Line) -> bool {
        left_out().is_none_or(|name| name != format!("{line:?}"))
    }

    /// Runs a model as it is, which must pass, and then without each of some lines, which
    /// must fail each time. That is a process of its own, for it may well crash.
    ///
    /// The model is a closure in the test's function, which is known by its name.
    pub(crate) fn check<M: Fn()>(lines: &[Line], model: M) {
        model();
        if left_out().is_some() {
            return;
        }
        let name = type_name_of_val(&model).trim_end_matches("::{{closure}}");
        let (_, test) = name.split_once("::").expect("a path in this crate");
        for line in lines {
            let this = env::current_exe().expect("the tests have a path");
            let mut child = Command::new(this);
            let child = child
                .args([test, "--exact"])
                .env(LEFT_OUT, format!("{line:?}"));
            let output = child.output().expect("the tests can be run again");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("running 1 test"), "{test} is no test: {said}");
            assert!(!output.status.success(), "{test} does without {line:?}");
            println!("{test} notices when there is no {line:?}");
        }
    }
}
