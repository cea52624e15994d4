"""Speak through the machine's loudspeaker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from basis_melgan.audio.files import Wave
from basis_melgan.errors import OutputError
from basis_melgan.inference.synthesize import require_streamable, spoken
from basis_melgan.inference.vocoder import Vocoder


def play(source: str, vocoder: Vocoder, stream: bool = False) -> None:
    """Play a mel or a recording as the vocoder speaks it.

    Args:
        source: a mel (M, F) in the vocoder's convention (.npy, .npz, .pt), a sound file, or ``-``, standard input.
        vocoder: what speaks.
        stream: read frames from standard input as they come, M float32 each, and play each as soon as can be.

    Raises:
        ConfigurationError: `stream` without standard input.
        OutputError: there is nothing to play on.
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
    """
    require_streamable(source, stream)
    pieces = spoken(source, vocoder, stream)
    with _loudspeaker(vocoder.info.sample_rate) as put:
        for piece in pieces:
            put(piece)


@contextmanager
def _loudspeaker(rate: int) -> Iterator[Callable[[Wave], None]]:
    """A function that plays one piece after another, and waits for the device; leaving it waits for the last."""
    try:
        import sounddevice
    except OSError as error:  # the package is there, the library that it calls is not
        raise OutputError(f"loudspeaker: {error}; install PortAudio (Debian's libportaudio2)") from error
    try:
        with sounddevice.OutputStream(rate, channels=1, dtype="float32") as device:
            yield lambda piece: device.write(piece[:, None])
    except sounddevice.PortAudioError as error:
        raise OutputError(f"loudspeaker: {error}; connect one, or write a file with basis-melgan vocode") from error
