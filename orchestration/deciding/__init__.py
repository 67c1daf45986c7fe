"""What-if: imaginary people and questions about them, decided by the models that production runs."""
