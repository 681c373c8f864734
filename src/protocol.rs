//! The lines of code on which the protocols rest. `make check-models` runs models of the protocols
//! with each of these lines disabled in turn, and verifies that a model then fails.
//!
//! In all other builds every line is enabled, and `is_enabled` costs nothing.

use crate::sync::Ordering;

/// A line of a protocol, without which a model fails. The comment at each variant begins with the
/// protocol's module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Line {
    /// `version`: a reader waits until no change is under way.
    ReadersWaitForChanges,
    /// `version`: the fence before a version is compared again.
    FenceBeforeValidation,
    /// `version`: the fence after the lock is taken.
    FenceAfterLock,
    /// `version`: the fence after a node is marked dirty.
    FenceAfterDirty,
    /// `version`: unlocking releases the owner's stores.
    UnlockReleases,
    /// `leaf`: a new permutation increments the count.
    PermutationCounts,
    /// `leaf`: the store of a permutation releases the slots it names.
    PermutationReleases,
    /// `leaf`: the store of a value releases its writer's earlier stores.
    ValueReleases,
    /// `leaf`: a link replaces a group under DIRTY.
    GroupIsDirty,
    /// `leaf`: a bag is removed under DIRTY.
    BagIsDirty,
    /// `tails`: a reader validates the version of a tailed leaf after it has loaded tails.
    TailsAreValidated,
    /// `leaf`: a layer whose link moves to another leaf gets that leaf as its parent.
    MovedLayersGetTheirParent,
    /// `internode`: an internode is filled before a child's parent word points to it.
    FilledBeforeParent,
    /// `internode`: whether its children are leaves is in its version before it is published.
    LowestIsStored,
    /// `suffix`: a record is written before its offset is stored.
    RecordBeforeOffset,
    /// `descend`: an internode is validated after its child's version was loaded.
    ParentIsValidated,
    /// `descend`: a layer is entered only at a root that is not deleted.
    RootIsLiving,
    /// `descend`: a writer does not write to a deleted leaf.
    WriterLeavesDeleted,
    /// `descend`: a reader moves to the next leaf when the slice's leaf has split.
    ReaderMovesRight,
    /// `descend`: a writer moves to the next leaf when the slice's leaf has split.
    WriterMovesRight,
    /// `unguarded`: an internode is validated before its child is accessed.
    UnguardedChildIsKnown,
    /// `unguarded`: an internode is validated after its child's version was loaded.
    UnguardedChildIsStill,
    /// `unguarded`: the root word is compared after the root's version was loaded.
    UnguardedRootIsStill,
    /// `unguarded`: a read that a clear may have overtaken is repeated.
    UnguardedLooksForClears,
    /// `version`: the fences before the stores that reuse a freed node.
    FenceOfReuse,
    /// `hint`: a remembered leaf is used only if the tree's root is still the remembered one.
    HintIsUnderTheRoot,
    /// `hint`: a remembered leaf is locked only at the version at which it was remembered.
    HintIsUnchanged,
    /// `locate`: the slot in which a key was found before its leaf was locked is used only if the leaf
    /// has not changed since.
    FoundSlotIsUnchanged,
    /// `split`: the leaf is dirty while it splits.
    SplitLeafIsDirty,
    /// `split`: ancestors are dirty while they change.
    SplitParentsAreDirty,
    /// `compact`: a deleted leaf is not cut.
    CutIsAlive,
    /// `compact`: a leaf is dirty while it is cut.
    CutLeafIsDirty,
    /// `compact`: the parent of a leaf that is cut is dirty while it changes.
    CutParentIsDirty,
    /// `collapse`: a remove that empties a leaf keeps it locked until it is deleted.
    EmptyLeafStaysLocked,
    /// `collapse`: ancestors that change are dirty.
    CollapseIsDirty,
    /// `collapse`: the internodes of a layer that is removed are dirty.
    RemovedLayerIsDirty,
    /// `collapse`: removing a first child moves the separator above it.
    SeparatorMoves,
    /// `collapse`: a node that leaves the tree is marked deleted.
    DeletedIsMarked,
    /// `merge`: the previous leaf, which takes the entries, is dirty.
    MergeIsDirty,
    /// `run`: the last leaf of a run is alive when it is locked.
    RunEndIsAlive,
    /// `run`: the leaves of a run and the leaf before them have one parent.
    RunHasOneParent,
    /// `run`: the leaves of a run are dirty before they are unlinked.
    RunIsDirty,
    /// `run`: the leaves of a run stay locked until they are deleted.
    RunStaysLocked,
    /// `run`: the parent of a run is dirty while it changes.
    RunParentIsDirty,
    /// `walk`: a reverse walk enters a leaf that split from its right end.
    ReverseLooksRight,
    /// `walk`: entries behind the walk's boundary are skipped.
    BoundaryIsKept,
    /// `cursor`: a step is validated.
    StepIsUndisturbed,
    /// `update_bytes`: a key still has the string from which its new one was computed.
    UpdateComparesAgain,
    /// `longest`: a prefix that was found is validated.
    PrefixIsUndisturbed,
    /// `swap`: the anchor is the parent of the detached root.
    ClearedGoesUnderAnchor,
    /// `swap`: the leaf that a loaded tree displaces is deleted.
    DisplacedIsDeleted,
    /// `held`: an empty leaf that a split created is removed again if its key is not inserted.
    UnusedRoomIsGivenBack,
    /// `held`: a leaf is held only if no clear removed it before it was locked.
    HoldLooksForClears,
    /// `freeing`: a leaf of a cleared tree is freed only under its lock: a thread may hold it.
    FreedLeafIsLocked,
    /// `freeing`: a leaf that was held when its tree was freed is freed once it is unlocked.
    HeldBackIsFreed,
    /// `freeing`: the fence between holding a leaf back and the look whether a thread still holds it.
    FenceAfterHeldBack,
    /// `freeing`: the fence between unlocking a leaf and the look for leaves that were held back.
    FenceAfterUnheld,
    /// `held`: `finish` changes nothing in a tree that a clear removed.
    FinishLooksForClears,
    /// `observe`: a hold that a clear overtook reports it once the new root is stored.
    OvertakenWaitsForTheEnd,
    /// `observe`: under a hold that a clear overtook, every validation fails.
    ValidationKnowsTheHold,
    /// `observation`: a locked leaf is not taken for unchanged: its owner may have changed it.
    LockedMayDiffer,
    /// `observation`: a fence precedes comparisons with leaves that other threads change.
    FenceBeforeCompare,
    /// `observe`: a clear is counted before it is done.
    ClearBeginsBefore,
    /// `observe`: a clear is counted again after it is done.
    ClearEndsAfter,
    /// `keys`: a key counted for an era other than its leaf's is recounted.
    KeysAreRecounted,
    /// `slots`: the fence after counting a guard and before making it.
    GuardCountedBeforeActive,
    /// `slots`: a census loads a slot's count of guards before its state.
    BegunCountedBeforeLiving,
    /// `flush`: guards and threads that began during the flush are counted.
    NewReservationsCount,
    /// `node`: a node's version has ROOT before a pointer to it is stored.
    RootIsPublished,
    /// `descend`: a reader does not read a deleted leaf.
    ReaderLeavesDeleted,
    /// `descend`: a writer that moves to the next leaf holds no lock while it waits.
    WriterWaitsAlone,
    /// `lock`: after waiting for a parent's lock, the parent is looked up again.
    ParentIsStill,
    /// `lock`: after waiting for the previous leaf's lock, that leaf is looked up again.
    PrevIsStill,
    /// `merge`: a leaf that was deleted meanwhile is not merged.
    MergedIsAlive,
    /// `collapse`: a root's only child replaces it only if the child is not deleted.
    PromotedIsAlive,
    /// `collapse`: a root's only child replaces it only if it is still the only child.
    LoneRootIsStill,
    /// `collapse`: a leaf is unlinked before the previous leaf is unlocked.
    UnlinkedUnderLock,
    /// `swap`: the node that a clear replaces is the root.
    ClearedIsTheRoot,
    /// `swap`: the leaf that a loaded tree displaces is the root.
    DisplacedIsTheRoot,
    /// `swap`: the leaf that a loaded tree displaces is empty.
    DisplacedIsEmpty,
    /// `swap`: the leaves of a loaded tree have the era of the tree that they enter.
    LoadedHasTheEra,
    /// `walk`: a cursor that reaches the end validates it.
    EndIsUndisturbed,
    /// `walk`: a cursor continues in the current tree.
    CursorKnowsItsRoot,
    /// `observe`: the count of clears is loaded before the root.
    IncarnationBeforeRoot,
    /// `observe`: a leaf that this thread holds counts as unchanged.
    OwnHeldIsTheSame,
    /// `observe`: for a thread that must not wait, a leaf that another thread has locked counts as
    /// changed.
    HeldIsNotTheSame,
    /// `walk`: a cursor arrives at a leaf that has not changed since it was read.
    ArrivalIsCurrent,
    /// `walk`: the keys that a cursor returns in one call are those of a leaf that has not changed.
    FollowingAreCurrent,
    /// `walk`: a deleted leaf is not read.
    WalkLeavesDeleted,
    /// `batch`: `RootIsLiving`, in batches.
    BatchRootIsLiving,
    /// `batch`: `ParentIsValidated`, in batches.
    BatchParentIsValidated,
    /// `pipeline`: `RootIsLiving`, in batches of short keys.
    PipelineRootIsLiving,
    /// `pipeline`: `ParentIsValidated`, in batches of short keys.
    PipelineParentIsValidated,
    /// `many`: a leaf that a batch has reached is written only if the tree's root is still the one
    /// from which it was reached.
    ManyIsUnderTheRoot,
    /// `version`: the count continues when a slot is reused for another node.
    CountContinues,
    /// `version`: loading a version acquires the stores that its owner released.
    VersionAcquires,
    /// `version`: taking the lock acquires the stores of earlier owners.
    LockAcquires,
    /// `version`: the fence after an owner publishes a version and keeps the lock.
    FenceAfterPublishedVersion,
    /// `leaf`: loading a permutation acquires the slots that it names.
    PermutationAcquires,
    /// `observe`: loading the count of finished clears acquires the root that the last one stored.
    EndedAcquires,
    /// `levels`: a writer that makes a layer higher raises the levels below of the nodes above it.
    GrownLayerIsRaised,
    /// `levels`: a writer that adds the second link to a layer whose root is a leaf raises the
    /// levels below of the nodes above it.
    SecondLinkIsRaised,
    /// `levels`: a node that a split creates gets its levels below from the nodes that were split.
    LevelsAreCopied,
    /// `levels`: the fence after a node's levels are raised.
    FenceAfterLevelsAreRaised,
    /// `levels`: the fence before a node's levels are copied.
    FenceBeforeLevelsAreCopied,
    /// `levels`: a node that changed while its levels were raised is raised again.
    RaisedIsValidated,
    /// `merge`: the levels below of the previous leaf are raised to those of the deleted leaf.
    MergeRaisesLevels,
    /// `merge`: the leaf to delete is dirty before its levels below are loaded.
    MergedLeafIsDirty,
    /// `levels`: a node whose levels below were raised for a child is still the child's parent.
    RaisedIsTheParent,
    /// `reclaim`: a node is unlinked before it is retired.
    #[cfg(all(test, loom))]
    UnlinkedBeforeRetired,
    /// `reclaim`: a guard is entered before the first pointer is loaded.
    #[cfg(all(test, loom))]
    GuardBeforePointer,
    /// `kept`: a domain that keeps everything frees nothing that was displaced.
    DisplacedIsKept,
    /// `versioned`: the store of a link to a version releases the version.
    VersionIsReleased,
    /// `versioned`: a version's links are stored before a link to it.
    LinksBeforePublishing,
    /// `versioned`: a removed version keeps its links.
    RemovedKeepLinks,
    /// `versioned`: the visible number is below every pending group.
    VisibleIsBelowPending,
    /// `versioned`: the store of the visible number releases the writes of its groups.
    VisibleIsReleased,
    /// `versioned`: a reader's load of the visible number acquires those writes.
    VisibleIsAcquired,
    /// `versioned`: a trim's floor is at most the visible number.
    FloorIsVisible,
    /// `versioned`: a trim stores its floor before it removes a version.
    FloorBeforeUnlinking,
    /// `versioned`: a reader at the visible number checks that no trim has overtaken it.
    LatestChecksFloor,
    /// `versioned`: a write at or below the floor is refused under the leaf's lock.
    WritesAreAboveFloor,
    /// `clock`: a snapshot in a store is counted as open before it loads the number taken last.
    OpenBeforeTaken,
    /// `clock`: an overwrite in a store has its number before it loads the count of open snapshots.
    TakenBeforeOpen,
    /// `clock`: a snapshot in a store waits until everything below its number is installed.
    SnapshotIsInstalled,
    /// `versioned`: a reader of several keys of a store at the latest number reads at a snapshot.
    SeveralAtSnapshot,
    /// `verdict`: a reader that finds the number of a batch's version acquires the marks of the batch.
    NumberIsAcquired,
    /// `verdict`: the store of a batch's decision releases its marks.
    DecisionIsReleased,
    /// `verdict`: a reader's load of a batch's decision acquires its marks.
    DecisionIsAcquired,
    /// `verdict`: the store of a batch's number in the tag of a mark releases the other marks.
    ResolvedIsReleased,
    /// `verdict`: a reader that has loaded the state of a mark's record looks at the mark again.
    MarkLooksAgain,
    /// `verdict`: a reader that has passed over a mark looks at it again after it has followed its link.
    PendingIsLookedAtAgain,
    /// `verdict`: the tag of a mark changes before the mark is unlinked.
    UnlinkedIsWithdrawn,
    /// `mark`: a writer waits for a mark that is not decided.
    WriterWaitsForMark,
    /// `range_tombstones`: a reader loads the range tombstones before the list of a key.
    RangesBeforeList,
    /// `quiet`: a range tombstone is freed only when no write at or below the floor is under way.
    RangesOutliveWrites,
    /// `ring`: units are reserved, if there is room, before they are taken.
    RoomBeforeNumber,
    /// `ring`: a writer that reserves units acquires the zeroing of the units released so far.
    RoomIsAcquired,
    /// `ring`: a take releases, and acquires, what its thread and earlier ones have acquired.
    TakeIsOrdered,
    /// `ring`: a walk over records acquires the takes of what it walks over.
    TakenIsAcquired,
    /// `ring`: the store of a first word releases the body.
    FilledBeforeWord,
    /// `ring`: a walk that finds a first word acquires the record, and what was installed before.
    WordIsAcquired,
    /// `ring`: a walk ends at what is taken.
    WalkEndsAtTaken,
    /// `ring`: the installed position moves only if it has not moved since the walk began.
    WalkIsUndisturbed,
    /// `ring`: the store of the installed position releases the commits below it.
    InstalledIsReleased,
    /// `ring`: a load of the installed position acquires the commits below it.
    InstalledIsAcquired,
    /// `ring`: units are zeroed before they are released.
    RoomAfterZeroing,
    /// `signal`: the flusher looks for work between declaring itself idle and sleeping.
    IdleIsRechecked,
    /// `signal`: the fence between a writer's work and its look whether the flusher is idle.
    FenceBeforeIdleIsLoaded,
    /// `signal`: the fence between declaring itself idle and looking for work.
    FenceAfterIdle,
    /// `lead`: the fence between what a thread has appended and its look for work that it leaves.
    FenceBeforeLeaderLooks,
    /// `lead`: a thread that has appended in place of the flusher looks for work that it leaves.
    LeaderLooksAgain,
    /// `signal`: the word releases the change that it announces.
    ChangeBeforeWord,
    /// `signal`: a thread that will sleep loads the word before it looks at its condition.
    WordBeforeCondition,
    /// `signal`: the fence between the word and the look whether any thread sleeps.
    FenceBeforeSleepers,
    /// `signal`: the fence between counting a sleeper and its sleep.
    FenceBeforeSleep,
    /// `signal`: the flusher sees that the log is being closed before it looks whether all is written.
    ClosingBeforeEnd,
    /// `kept`: a cut gives up a segment before it removes the file.
    ReachBeforeUnlink,
    /// `kept`: a cut leaves the segments that a follower reads.
    CutLeavesHeld,
    /// `follower`: what was read is forgotten when more may be read.
    WindowIsRenewed,
    /// `txn`: keys that were read and not written are unchanged at the commit.
    ReadsAreValidated,
    /// `txn`: ranges that were scanned are unchanged at the commit.
    RangesAreValidated,
    /// `txn`: keys that are written, and must be as they were, are judged under their marks.
    WrittenAreUnchanged,
    /// `txn`: what was read is validated after the number was taken.
    ValidatedAfterNumber,
    /// `txn`: commits with lower numbers are installed before what was read is validated.
    LowerAreInstalled,
    /// `checkpoint`: the parts of a checkpoint are synced before its manifest counts.
    PartsAreSynced,
    /// `checkpoint`: a manifest is synced before it gets its name.
    ManifestIsSynced,
    /// `checkpoint`: the names of parts are synced before the manifest gets its name.
    PartsAreNamed,
    /// `checkpoint`: the log is durable up to a checkpoint's number before its manifest counts.
    LogReachesCheckpoint,
    /// `checkpoint`: the name of the manifest is synced before what it replaces is removed.
    ManifestCounts,
    /// `checkpoint`: the log is cut after the manifest counts.
    CutAfterManifest,
    /// `checkpoint`: a manifest that was found is durable before the log goes on behind it.
    FoundManifestIsSynced,
    /// `life`: the drop of a tree is announced before it takes its number.
    DropIsAnnounced,
    /// `life`: a commit that finds the announcement of a drop waits for its number.
    CommitWaitsForDrop,
    /// `life`: the content of a dropped tree stays as long as a write is under way in it.
    ContentOutlivesWrites,
    /// `life`: the content of a dropped tree stays as long as an earlier snapshot is open.
    SnapshotKeepsContent,
}

impl Line {
    /// Whether the line is enabled.
    #[inline(always)]
    pub(crate) fn is_enabled(self) -> bool {
        #[cfg(test)]
        return models::is_enabled(self);
        #[cfg(not(test))]
        true
    }

    /// The ordering of this line's load: `Acquire`; `Relaxed` if a model disables the line.
    #[inline(always)]
    pub(crate) fn acquire(self) -> Ordering {
        if self.is_enabled() {
            Ordering::Acquire
        } else {
            Ordering::Relaxed
        }
    }

    /// The ordering of this line's store: `Release`; `Relaxed` if a model disables the line.
    #[inline(always)]
    pub(crate) fn release(self) -> Ordering {
        if self.is_enabled() {
            Ordering::Release
        } else {
            Ordering::Relaxed
        }
    }
}

#[cfg(test)]
pub(crate) mod models {
    use std::any::type_name_of_val;
    use std::env;
    use std::sync::OnceLock;

    use super::Line;
    #[cfg(not(any(loom, shuttle)))]
    use crate::testing::Sample;
    use crate::testing::this_program;

    /// The environment variable that names the line to disable in this process.
    const DISABLED: &str = "MASSTREE_DISABLED_LINE";

    fn disabled_line() -> Option<&'static str> {
        static LINE: OnceLock<Option<String>> = OnceLock::new();
        LINE.get_or_init(|| env::var(DISABLED).ok()).as_deref()
    }

    pub(super) fn is_enabled(line: Line) -> bool {
        disabled_line().is_none_or(|name| name != format!("{line:?}"))
    }

    /// Returns the positions that a test of crashes tries: without a line, all until it fails.
    #[cfg(not(any(loom, shuttle)))]
    pub(crate) fn sample() -> Sample {
        match disabled_line() {
            Some(_) => Sample::exhaustive(),
            None => Sample::new(),
        }
    }

    /// Runs a model, or a test of crashes, with every line, which must pass, and then without each of `lines`, which
    /// must fail each time. Each of those runs is a process of its own, since it may crash.
    ///
    /// The model is a closure in the test's function; its type name contains the test's name.
    pub(crate) fn check<M: Fn()>(lines: &[Line], model: M) {
        model();
        if disabled_line().is_some() {
            return;
        }
        let name = type_name_of_val(&model).trim_end_matches("::{{closure}}");
        let (_, test) = name.split_once("::").expect("a path in this crate");
        for line in lines {
            let mut child = this_program();
            let child = child
                .args([test, "--exact"])
                .env(DISABLED, format!("{line:?}"));
            let output = child.output().expect("the tests can be run again");
            let stdout = String::from_utf8_lossy(&output.stdout);
            assert!(
                stdout.contains("running 1 test"),
                "{test} is no test: {stdout}"
            );
            assert!(!output.status.success(), "{test} passes without {line:?}");
            println!("{test} notices when there is no {line:?}");
        }
    }
}
