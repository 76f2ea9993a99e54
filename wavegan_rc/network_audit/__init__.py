"""What a trained generator and its critic say when looked into, not only listened to."""
