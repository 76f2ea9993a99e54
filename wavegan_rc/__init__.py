"""Train audio WGAN-GPs with interchangeable upsamplers and measure the artifacts they leave.

Importing the package loads neither TensorFlow nor an audio library; the modules do so themselves.
"""

__version__ = "0.1.0"
