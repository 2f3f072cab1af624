import DhtLoop

print(NodeID.zero)
