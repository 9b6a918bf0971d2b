"""Where the numbers of a feature map lie in memory."""

from torch import Tensor, fx


def laid_out(y: Tensor, like: Tensor) -> Tensor:
    """The tensor with its channels last in memory if those of ``like`` are, else contiguous.

    Layers of ``torch.nn`` keep ``torch.channels_last`` and ``channels_last_3d``; so do ours.

    Args:
        y: a feature map.
        like: another one, such as that of which it was made.
    Returns:
        The numbers of ``y``, laid out like those.
    """
    if isinstance(like, fx.Proxy):
        return y  # a plain graph computes the same numbers, wherever they lie
    # By strides, since vmap cannot tell or make a memory format; one channel has both formats.
    if (like.shape[1] == 1 or not like.is_contiguous()) and like.stride(1) == 1:
        return y.movedim(1, -1).contiguous().movedim(-1, 1)
    return y.contiguous()
