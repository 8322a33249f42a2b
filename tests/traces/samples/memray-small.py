"""The program of the memray captures among the samples: two threads, small and large objects."""

import json
import threading


def work():
    rows = [{"id": i, "text": "x" * i} for i in range(100)]
    return len(json.dumps(rows))


thread = threading.Thread(target=work)
thread.start()
work()
buffers = [bytearray(600 * i) for i in range(40)]
del buffers[::2]
thread.join()
