"""What numba looks up before its first loop runs, for half a second: once, in the process that others are forked of."""

from numba.core.registry import cpu_target

cpu_target.target_context.refresh()
cpu_target.typing_context.refresh()
