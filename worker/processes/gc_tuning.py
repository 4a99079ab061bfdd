"""How often a worker process looks for garbage that the counting of references leaves behind."""

import gc


def look_rarely() -> None:
    """Call once all that stays for good is loaded; from then on the collector keeps out of the way.

    What is loaded is never looked at again: each full collection would walk through all of it, 5
    to 10 % of what an email costs. And young garbage is looked for each 50,000 new objects: by
    default it is 700, fewer than a batch makes, and nearly all of them are still in use then. That
    was another tenth. A worker's memory is the same after a million sends.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
