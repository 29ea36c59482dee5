"""A training step of torchvision's ResNet50 in PyTorch, as its users write it: float32, SGD.

Random weights, 10 classes, Nesterov momentum 0.9, every layer trained, batch normalisation in
evaluation mode (as our fine-tuning keeps it), channels-last memory, which is PyTorch's faster one
on processors; one batch made once, normalised on the device in every step.
"""

import torch
import torchvision

from benchmarks.peers import serving

MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # torchvision's, of 255


def prepare(size, batch):
    """Make run(steps) for batches of `batch` pictures of `size` pixels."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    like = {"device": device, "dtype": torch.float32}
    model = torchvision.models.resnet50(weights=None, num_classes=10).to(device)
    model = model.to(memory_format=torch.channels_last).eval()
    optimizer = torch.optim.SGD(model.parameters(), 0.001, momentum=0.9, nesterov=True)
    pictures = torch.randint(256, (batch, 3, size, size), dtype=torch.uint8, device=device)
    labels = torch.arange(batch, device=device) % 10
    mean, deviation = (torch.tensor(v, **like)[:, None, None] for v in (MEAN, DEVIATION))

    def run(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            pixels = ((pictures.float() - mean) / deviation).contiguous(
                memory_format=torch.channels_last
            )
            loss = torch.nn.functional.cross_entropy(model(pixels), labels)
            loss.backward()
            optimizer.step()
        loss.item()  # a GPU has then finished

    return run


if __name__ == "__main__":
    serving.serve(prepare)
