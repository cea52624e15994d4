"""The paper's network's response to an all-zero mel, which its generator subtracts from the weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.models.streaming import StreamState


def tile_response(response: Tensor, mel_frames: int, edge: int, rate: int) -> Tensor:
    """Extend a response to silence to a longer mel.

    Args:
        response: (1, N, K) for a mel of at least 2·edge + 1 frames.
        mel_frames: length of the mel wanted, at least as long.
        edge: mel frames at either end over which the response differs from frame to frame.
        rate: weight frames per mel frame.

    Returns:
        (1, N, mel_frames·rate), with the response's frame after `edge` repeated between its two ends.
    """
    ends = edge * rate
    inside = response[..., ends : ends + rate].repeat(1, 1, mel_frames - 2 * edge)
    return torch.cat([response[..., :ends], inside, response[..., -ends:]], dim=-1)


class SilenceTable(nn.Module):
    """Responses to all-zero mels of every length, looked up frame by frame in a stream.

    The table holds one response for every length up to `max_frames`; a longer mel repeats the frame after its edge.
    """

    table: Tensor

    def __init__(self, responses: list[Tensor], min_frames: int, edge: int, rate: int) -> None:
        """Build the table.

        Args:
            responses: (1, N, K) each, for mels of `min_frames` frames, one more, and so on, up to at least 2·edge + 1.
            min_frames: mel frames of the first.
            edge: mel frames at either end over which a response differs from frame to frame.
            rate: weight frames per mel frame.
        """
        super().__init__()
        self.min_frames, self.max_frames, self.edge, self.rate = min_frames, min_frames + len(responses) - 1, edge, rate
        self.row_length = self.max_frames * rate  # weight frames
        rows = [F.pad(response[0].T, (0, 0, 0, self.row_length - response.shape[2])) for response in responses]
        self.register_buffer("table", torch.cat(rows), persistent=False)

    def forward(self, count: int, state: StreamState) -> Tensor:
        """Response (1, N, count) at the current weight frames of a stream."""
        positions, edge, rate = state.positions(count), self.edge * self.rate, self.rate
        row_frames = state.total_frames.clamp(self.min_frames, self.max_frames)
        from_end = positions - (state.total_frames - row_frames) * rate
        inside = torch.where(positions < edge, positions, edge + positions % rate)
        index = torch.where(from_end >= row_frames * rate - edge, from_end, inside)
        index = torch.where(state.total_frames <= self.max_frames, positions, index).clamp(0, self.row_length - 1)
        rows = (row_frames - self.min_frames) * self.row_length + index
        return self.table[rows].T[None]
