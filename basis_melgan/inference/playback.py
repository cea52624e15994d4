"""Synthesis to the loudspeaker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from basis_melgan.audio.files import Wave
from basis_melgan.errors import OutputError
from basis_melgan.inference.synthesize import require_streamable, synthesize_with_progress
from basis_melgan.inference.vocoder import Vocoder


def play(source: str, vocoder: Vocoder, stream: bool = False) -> None:
    """Synthesize a mel or a recording and play the result.

    Args:
        source: a mel (M, F) in the vocoder's mel config (.npy, .npz, .pt), a sound file, or ``-``, standard input.
        vocoder: the vocoder.
        stream: read frames from standard input as they arrive, M float32 each, and play each without delay.

    Raises:
        ConfigurationError: `stream` without standard input.
        OutputError: there is no loudspeaker.
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
    """
    require_streamable(source, stream)
    chunks = synthesize_with_progress(source, vocoder, stream)
    with _open_loudspeaker(vocoder.info.sample_rate) as play_chunk:
        for chunk in chunks:
            play_chunk(chunk)


@contextmanager
def _open_loudspeaker(sample_rate: int) -> Iterator[Callable[[Wave], None]]:
    """A function that plays consecutive chunks (T,) and blocks until the device takes each; the exit waits for all."""
    try:
        import sounddevice
    except OSError as error:  # the package is installed, the library that it calls is not
        raise OutputError(f"loudspeaker: {error}; install PortAudio (Debian's libportaudio2)") from error
    try:
        with sounddevice.OutputStream(sample_rate, channels=1, dtype="float32") as device:
            yield lambda chunk: device.write(chunk[:, None])
    except sounddevice.PortAudioError as error:
        raise OutputError(f"loudspeaker: {error}; connect one, or write a file with basis-melgan vocode") from error
