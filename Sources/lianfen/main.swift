print("lianfen")
