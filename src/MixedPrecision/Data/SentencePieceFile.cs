using Google.Protobuf;

namespace MixedPrecision.Data;

/// <summary>What a SentencePiece model says of itself (sentencepiece_model.proto: trainer_spec is field 2, its model_type field 3).</summary>
internal static class SentencePieceFile
{
    private const int TrainerSpec = 2;
    private const int ModelType = 3;
    private const int PairMerging = 2;

    /// <summary>Whether pieces are merged in pairs (BPE), and not chosen by their probability (Unigram, the default).</summary>
    public static bool IsPairMerging(string path)
    {
        var file = new CodedInputStream(File.ReadAllBytes(path));
        while (file.ReadTag() is var tag and not 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) != TrainerSpec)
            {
                file.SkipLastField();
                continue;
            }

            CodedInputStream trainer = file.ReadBytes().CreateCodedInput();
            while (trainer.ReadTag() is var inner and not 0)
            {
                if (WireFormat.GetTagFieldNumber(inner) == ModelType)
                    return trainer.ReadEnum() == PairMerging;
                trainer.SkipLastField();
            }
        }

        return false;
    }
}
