"""The experiment of the Keras tutorial on Gradient Centralization, with pairs and repetitions."""
