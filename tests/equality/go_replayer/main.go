// Replays events on Go's runtime and writes where each object went; see go_runtime.py.
//
// replayer EVENTS RESULT SCANS EVERY COLLECT FREEGC PERIOD TOUCH: an event is two words, an object
// and a size; the size -1 frees. PERIOD: see scavenge. TOUCH: write to the pages of each object.
// RESULT gets the page map at the start, an address for each event, a row of numbers for each
// checkpoint, the CPU time, and the bytes and nanoseconds of the background scavenger; SCANS gets
// five words for each event with a collection or with a change of the runtime's other memory: the
// event, the bytes of roots that the collection scanned, the bytes that it marked and that are not
// counted as allocated (0 and 0 without a collection), the bytes of the other memory when the
// collection begins and after the event. The environment has GOGC and the memory limit. Nothing is
// allocated while events are replayed, and objects are referenced from global variables only.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"
)

const maxPins = 1 << 16

var (
	objects [maxObjects]unsafe.Pointer
	sizes   [maxObjects]uintptr
	pins    [maxPins]unsafe.Pointer
	pinned  int
	row     [32]int64
	words   [16]uint64
	known   [4]int64
	output  []int64
	scans   []int64
	scanned int
	touch   bool
	period  int
	due     int
	awake   bool
	other   uint64
	usage   [2]syscall.Rusage
)

func main() {
	events, result := mapped(os.Args[1]), os.Args[2]
	every, collect := number(4), number(5)
	freegc := number(6) != 0
	period, touch = number(7), number(8) != 0
	count := len(events) / 2
	output = created(result, 1<<16*20+count+(count/max(every, 1)+4)*len(row))
	scans = created(os.Args[3], 5*count+5)
	settle()
	write(int64(runtime.AllocsimHeapBase()))
	writePages()
	writeState()
	seen := runtime.AllocsimCollections()
	released, worked := runtime.AllocsimScavenged()
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage[0])
	for i := 0; i < count; i++ {
		replay(int(events[2*i]), events[2*i+1], freegc)
		if collect > 0 && (i+1)%collect == 0 {
			runtime.GC()
		}
		collected := runtime.AllocsimCollections() != seen
		if collected || runtime.AllocsimOther() != other {
			writeChange(int64(i), collected)
			seen = runtime.AllocsimCollections()
		}
		scavenge(i, collected)
		if every > 0 && ((i+1)%every == 0 || i == count-1) {
			write(int64(i + 1))
			writeState()
		}
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage[1])
	write(-1)
	write(cpu(usage[1].Utime) - cpu(usage[0].Utime))
	write(cpu(usage[1].Stime) - cpu(usage[0].Stime))
	bytes, nanoseconds := runtime.AllocsimScavenged()
	write(bytes - released)
	write(nanoseconds - worked)
}

// scavenge does the work of the background scavenger after an event. With a period of 0, it does all of it after
// each collection; with a positive period, one step every `period` events, as long as there is work. With a negative
// period, the real scavenger runs.
func scavenge(event int, collected bool) {
	awake = awake || collected
	for awake && period >= 0 && event >= due {
		awake = runtime.AllocsimScavenge()
		due = event + period
	}
}

// replay replays one event and writes the object's address.
func replay(object int, size int64, freegc bool) {
	old := objects[object]
	if size < 0 {
		objects[object] = nil
		write(0)
	} else {
		objects[object] = runtime.AllocsimMalloc(uintptr(size))
		write(int64(uintptr(objects[object])))
		if touch {
			touchPages(objects[object], uintptr(size))
		}
	}
	if old != nil && freegc && sizes[object] > 0 {
		runtime.AllocsimFree(old, sizes[object])
	}
	if size >= 0 {
		sizes[object] = uintptr(size)
	}
}

// touchPages writes to each page of the operating system in an object.
func touchPages(object unsafe.Pointer, size uintptr) {
	for place := uintptr(0); place < size; place += 4096 {
		*(*byte)(unsafe.Add(object, place)) = 1
	}
}

// settle brings the heap into a state in which no class of objects without pointers has a free slot.
func settle() {
	runtime.AllocsimWatchCollections()
	debug.SetGCPercent(-1)
	fillMarkQueue()
	percent, _ := strconv.Atoi(os.Getenv("ALLOCSIM_PERCENT"))
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	for !runtime.AllocsimStopScavenger() {
		runtime.Gosched()
	}
	debug.SetGCPercent(percent)
	for closeClasses() {
		runtime.GC()
	}
	limit, err := strconv.ParseInt(os.Getenv("ALLOCSIM_LIMIT"), 10, 64)
	check(err)
	debug.SetMemoryLimit(limit)
	if period < 0 {
		runtime.AllocsimStartScavenger()
	}
	other = runtime.AllocsimOther()
}

// fillMarkQueue runs a collection that queues many spans of objects with pointers, so that the runtime allocates the
// ring of its queue of spans (spanQueue, 8 KiB), which it keeps. Otherwise it does so in the first collection in which
// at least 10 spans wait when the 64th span is queued. The goals at the end of marking would then depend on memory
// that SCANS does not have: the ring is not there when the collection begins, and other growth comes with the sweep.
func fillMarkQueue() {
	blocks := make([]*[64]*byte, 1<<11)
	for i := range blocks {
		blocks[i] = new([64]*byte)
	}
	runtime.GC()
	runtime.KeepAlive(blocks)
}

// closeClasses fills every free slot with an object that stays. It returns whether there were free slots.
func closeClasses() bool {
	before := pinned
	for class, size := range runtime.AllocsimSizes() {
		for size > 0 && runtime.AllocsimOpenSlots(uint8(class)) > 0 {
			pins[pinned] = runtime.AllocsimMalloc(size)
			pinned++
		}
	}
	return pinned > before
}

// writeChange writes what SCANS gets of an event.
func writeChange(event int64, collected bool) {
	other = runtime.AllocsimOther()
	change := [5]int64{event, 0, 0, int64(other), int64(other)}
	if collected {
		change[1], change[2] = int64(runtime.AllocsimScannable()), runtime.AllocsimUncounted()
		change[3] = int64(runtime.AllocsimOtherAtStart)
	}
	scanned += copy(scans[scanned:], change[:])
}

func writePages() {
	chunks := runtime.AllocsimChunks()
	write(int64(chunks))
	for chunk := 0; chunk < chunks; chunk++ {
		words, known = [16]uint64{}, [4]int64{}
		runtime.AllocsimPages(chunk, &words, &known)
		for _, word := range words {
			write(int64(word))
		}
		for _, number := range known {
			write(number)
		}
	}
}

func writeState() {
	runtime.AllocsimState(&row)
	for _, number := range row {
		write(number)
	}
}

var written int

func write(number int64) {
	output[written] = number
	written++
}

func cpu(time syscall.Timeval) int64 { return time.Sec*1_000_000 + time.Usec }

func number(argument int) int {
	value, err := strconv.Atoi(os.Args[argument])
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
}

// mapped returns the words of a file.
func mapped(name string) []int64 {
	file, err := os.Open(name)
	check(err)
	status, err := file.Stat()
	check(err)
	bytes, err := syscall.Mmap(int(file.Fd()), 0, int(status.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	check(err)
	return unsafe.Slice((*int64)(unsafe.Pointer(&bytes[0])), len(bytes)/8)
}

// created returns the words of a new file. Words that are never written use no memory.
func created(name string, length int) []int64 {
	file, err := os.Create(name)
	check(err)
	check(file.Truncate(int64(length) * 8))
	access := syscall.PROT_READ | syscall.PROT_WRITE
	bytes, err := syscall.Mmap(int(file.Fd()), 0, length*8, access, syscall.MAP_SHARED)
	check(err)
	return unsafe.Slice((*int64)(unsafe.Pointer(&bytes[0])), length)
}
