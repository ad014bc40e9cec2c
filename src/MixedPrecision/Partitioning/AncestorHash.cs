using System.Buffers.Binary;
using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Tells values apart by what computes them, and not by names or the order of the file.</summary>
internal static class AncestorHash
{
    /// <summary>Per node a hash of its operator, its attributes and, by their own hashes, the nodes that it reads.</summary>
    public static UInt128[] Of(GraphView view)
    {
        var hashes = new UInt128[view.Nodes.Count];
        for (int node = 0; node < hashes.Length; node++)
        {
            using var stream = new MemoryStream();
            CanonicalNode.Write(view.Nodes[node], _ => "", new CanonicalNames()).WriteTo(stream);
            var bytes = new byte[16];
            foreach (string value in view.Inputs[node])
            {
                int? producer = view.Producer(value);
                UInt128 operand = producer is int source ? hashes[source] + (UInt128)(uint)view.Nodes[source].Output.IndexOf(value)
                    : view.Constants.Contains(value) ? UInt128.One : UInt128.Zero;
                BinaryPrimitives.WriteUInt128LittleEndian(bytes, operand);
                stream.Write(bytes);
            }

            hashes[node] = BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(stream.ToArray()));
        }

        return hashes;
    }
}
