// Accessors of the heap's state. The build adds this file to package runtime (go build -overlay); it
// changes nothing there.

package runtime

import (
	"internal/runtime/gc"
	"unsafe"
)

// AllocsimMalloc allocates an object without pointers; its contents are undefined.
func AllocsimMalloc(size uintptr) unsafe.Pointer { return mallocgc(size, nil, false) }

// AllocsimFree frees an object explicitly, if the runtime was built with that experiment.
func AllocsimFree(object unsafe.Pointer, size uintptr) { freegc(object, size, true) }

// AllocsimCollections returns the number of collections.
func AllocsimCollections() uint32 { return memstats.numgc }

// AllocsimScannable returns the bytes of stacks and globals that the last collection scanned.
func AllocsimScannable() uint64 {
	return gcController.lastStackScan.Load() + gcController.globalsScan.Load()
}

// AllocsimOther returns the bytes that the runtime has mapped apart from spans of objects and free
// pages.
func AllocsimOther() uint64 {
	c := &gcController
	return c.mappedReady.Load() - c.heapInUse.load() - c.heapFree.load()
}

// AllocsimOtherAtStart is AllocsimOther at the beginning of the last collection.
var AllocsimOtherAtStart uint64

// allocsimCleanup is the poolcleanup of package sync.
var allocsimCleanup func()

// AllocsimWatchCollections keeps AllocsimOtherAtStart up to date: a collection calls poolcleanup
// before it marks.
func AllocsimWatchCollections() {
	allocsimCleanup, poolcleanup = poolcleanup, allocsimCollectionStarts
}

func allocsimCollectionStarts() {
	AllocsimOtherAtStart = AllocsimOther()
	allocsimScavenging += scavenge.backgroundTime.Load()
	if allocsimCleanup != nil {
		allocsimCleanup()
	}
}

// AllocsimUncounted returns the bytes that the last collection marked but that are not counted as allocated.
func AllocsimUncounted() int64 {
	c := &gcController
	return int64(c.heapMarked - (c.totalAlloc.Load() - c.totalFree.Load()))
}

// AllocsimHeapBase returns the address of the first chunk.
func AllocsimHeapBase() uintptr { return chunkBase(mheap_.pages.start) }

// AllocsimChunks returns the number of chunks from the first to the last.
func AllocsimChunks() int { return int(mheap_.pages.end - mheap_.pages.start) }

// AllocsimStopScavenger keeps a sleeping background scavenger asleep.
func AllocsimStopScavenger() bool {
	lock(&scavenger.lock)
	parked := scavenger.parked
	scavenger.parked = false
	unlock(&scavenger.lock)
	return parked
}

// AllocsimStartScavenger lets the background scavenger run again.
func AllocsimStartScavenger() {
	lock(&scavenger.lock)
	scavenger.parked = true
	unlock(&scavenger.lock)
}

// AllocsimScavenge does one step of the background scavenger: it releases a quantum if more memory is
// retained than a goal allows. It returns whether there may be more to release.
func AllocsimScavenge() bool {
	if scavenger.shouldStop() {
		return false
	}
	released, _ := scavenger.scavenge(64 << 10)
	mheap_.pages.scav.releasedBg.Add(released)
	return released >= 64<<10
}

// AllocsimScavenged returns the bytes that the background scavenger has released, and the nanoseconds
// that it took.
func AllocsimScavenged() (bytes, nanoseconds int64) {
	return int64(mheap_.pages.scav.releasedBg.Load()),
		allocsimScavenging + scavenge.backgroundTime.Load()
}

// allocsimScavenging is that time until the last collection began; the runtime counts from there.
var allocsimScavenging int64

// AllocsimOpenSlots returns the free slots of a class of objects without pointers.
func AllocsimOpenSlots(class uint8) int {
	spc := makeSpanClass(class, true)
	cached := getMCache(getg().m).alloc[spc]
	open := 0
	if cached != &emptymspan {
		open = int(cached.nelems - cached.allocCount)
	}
	set := &mheap_.central[spc].mcentral.partial[mheap_.sweepgen/2%2]
	head, tail := set.index.load().split()
	return open + int(tail-head)
}

// AllocsimPages copies the bitmaps of a chunk, pages in use and released pages, and what the
// scavenger knows of it.
func AllocsimPages(chunk int, words *[16]uint64, known *[4]int64) {
	index := mheap_.pages.start + chunkIdx(chunk)
	data := mheap_.pages.tryChunkOf(index)
	if data == nil || !mheap_.pages.inUse.contains(chunkBase(index)) {
		return
	}
	for i := 0; i < 8; i++ {
		words[i], words[8+i] = data.pallocBits[i], data.scavenged[i]
	}
	sc := mheap_.pages.scav.index.chunks[index].load()
	*known = [4]int64{int64(sc.inUse), int64(sc.lastInUse), int64(sc.gen), 0}
	if !sc.isEmpty() {
		known[3] = 1
	}
}

// AllocsimHash returns a checksum of the bitmaps of all chunks.
func AllocsimHash() (used, released uint64) {
	for index := mheap_.pages.start; index < mheap_.pages.end; index++ {
		data := mheap_.pages.tryChunkOf(index)
		for i := 0; data != nil && i < 8; i++ {
			used = used*0x9E3779B97F4A7C15 + data.pallocBits[i]
			released = released*0x9E3779B97F4A7C15 + data.scavenged[i]
		}
	}
	return
}

// pageOf returns the number of a page, counted from the first chunk, or -1.
func pageOf(address uintptr) int64 {
	if address < AllocsimHeapBase() {
		return -1
	}
	return int64((address - AllocsimHeapBase()) / pageSize)
}

// AllocsimState fills a row with numbers of the heap; see COLUMNS in go_runtime.py.
func AllocsimState(row *[32]int64) {
	cache := &getg().m.p.ptr().pcache
	used, released := AllocsimHash()
	index := &mheap_.pages.scav.index
	cursor, marked := index.searchAddrBg.Load()
	forced, forcedMarked := index.searchAddrForce.Load()
	trigger, goal := gcController.trigger()
	row[0] = int64(AllocsimChunks())
	row[1] = int64(gcController.heapInUse.load())
	row[2] = int64(gcController.heapFree.load())
	row[3] = int64(gcController.heapReleased.load())
	row[4] = int64(used)
	row[5] = int64(released)
	row[6] = pageOf(cache.base)
	row[7] = int64(cache.cache)
	row[8] = int64(cache.scav & cache.cache)
	row[9] = int64(memstats.numgc)
	row[10] = int64(gcController.heapLive.Load())
	row[11] = int64(gcController.heapMarked)
	row[12] = int64(goal)
	row[13] = int64(trigger)
	row[14] = int64(scavenge.gcPercentGoal.Load())
	row[15] = pageOf(cursor)
	row[16] = pageOf(index.freeHWM.addr())
	row[17] = int64(index.gen)
	row[18] = int64(gcController.lastHeapGoal)
	row[19] = int64(AllocsimScannable())
	row[20] = int64(physHugePageSize)
	row[21] = int64(getMCache(getg().m).tinyoffset)
	row[22] = int64(gcController.totalAlloc.Load())
	row[23] = flag(marked)
	row[24] = int64(gcController.mappedReady.Load())
	row[25] = int64(gcController.totalAlloc.Load() - gcController.totalFree.Load())
	row[26] = int64(scavenge.memoryLimitGoal.Load())
	row[27] = pageOf(forced)
	row[28] = flag(forcedMarked)
	row[29] = int64(gcCPULimiter.lastEnabledCycle.Load())
}

func flag(value bool) int64 {
	if value {
		return 1
	}
	return 0
}

// AllocsimSizes returns the object sizes of the classes from 1 on; 0 for class 0 and the largest
// requests of the others.
func AllocsimSizes() *[68]uintptr { return &allocsimSizes }

var allocsimSizes [68]uintptr

func init() {
	for class := 2; class < 68; class++ {
		allocsimSizes[class] = uintptr(min(gc.SizeClassToSize[class], 32760))
	}
}
