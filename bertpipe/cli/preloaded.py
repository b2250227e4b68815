"""What the fork server imports last.

A worker process imports the main module again, which is this package: so it has been there before.
And what has been imported by now is no garbage: without a look at it by the collector, its memory
stays shared, and the server ends at once.
"""

import gc

gc.freeze()
